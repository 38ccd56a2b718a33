import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { lockFolder } from '../../../src/db/embedded/folder-lock.ts';
import { createProject } from '../../support/project.ts';

test('a folder is locked once, also in one process, and can be locked again when it is free', async () => {
  const { folder } = await createProject();
  const unlock = await lockFolder(folder, 0);
  await expect(lockFolder(folder, 0)).rejects.toMatchObject({
    code: 'LOCK_TIMEOUT',
    message: expect.stringContaining(`Process ${pid}, this one, is using`) as string,
  });
  const waiting = lockFolder(folder, 10_000);
  await unlock();
  const unlockAgain = await waiting;
  await unlockAgain();
});

test('our own process id with another start is left over from an earlier container', async () => {
  const { folder } = await createProject();
  await writeFile(join(folder, 'owner.pid'), `${pid} 1700000000000`);
  await lockFolder(folder, 0);
  expect(await readFile(join(folder, 'owner.pid'), 'utf8')).not.toContain('1700000000000');
});

test('of many that find the file of a dead process, one takes it over, and the others wait', async () => {
  const { folder } = await createProject();
  for (let round = 0; round < 20; round += 1) {
    await writeFile(join(folder, 'owner.pid'), `${pid} 1700000000000`);
    let owners = 0;
    const own = async () => {
      const unlock = await lockFolder(folder, 10_000);
      owners += 1;
      expect(owners).toBe(1);
      await sleep(1);
      owners -= 1;
      await unlock();
    };
    await Promise.all([own(), own(), own()]);
  }
  expect(await readdir(folder)).toEqual(['migrations']);
});

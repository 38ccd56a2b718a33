import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { partialFiles, prepareBackupFolder, writeBackupFile } from '../../../src/core/backup/backup-file.ts';

const MODULE = new URL('../../../src/core/backup/backup-file.ts', import.meta.url).href;

/** Writes a file, and does not end. */
const ENDLESS = `
  import { writeBackupFile } from '${MODULE}';
  await writeBackupFile(process.argv[1], 'tid_a', (output) => new Promise(() => {
    output.write('x', () => console.log('written'));
    setInterval(() => {}, 1000);
  }), () => 'a.tar');`;

test('what a killed writer has left is removed by the next one, and nothing of writers at work or of another machine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'backup-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDLESS, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await writeFile(join(folder, 'tid_b.0123abcd-1.0a1b2c3d.partial'), '');
  await writeFile(join(folder, 'notes.txt'), '');
  const atWork = await partialFiles(folder);
  expect(atWork).toHaveLength(2);
  await prepareBackupFolder(folder);
  expect(await partialFiles(folder)).toEqual(atWork);

  child.kill('SIGKILL');
  await once(child, 'exit');
  const own = await writeBackupFile(
    folder,
    'tid_c',
    async (output) => {
      await prepareBackupFolder(folder);
      output.end('whole');
      await once(output, 'close');
    },
    () => 'c.tar',
  );
  expect(own.path).toBe(join(folder, 'c.tar'));
  expect((await readdir(folder)).toSorted()).toEqual([
    'c.tar',
    'notes.txt',
    'tid_b.0123abcd-1.0a1b2c3d.partial',
  ]);
});

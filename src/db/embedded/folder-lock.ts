import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kill, pid } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { TenantctlError } from '../../errors.ts';

/**
 * Locks a folder for one process with a pid file. A dead process's file is taken over, so a crash needs no
 * cleanup.
 * @param waitMs milliseconds to wait for the current owner
 * @returns a function that unlocks the folder
 * @throws TenantctlError LOCK_TIMEOUT
 */
export async function lockFolder(directory: string, waitMs: number): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'owner.pid');
  const deadline = Date.now() + waitMs;
  for (;;) {
    try {
      await writeFile(file, String(pid), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await ownerOf(file);
    if (owner === undefined) await rm(file, { force: true });
    else if (Date.now() >= deadline) {
      throw new TenantctlError(
        'LOCK_TIMEOUT',
        `Process ${owner} is using the embedded database in ${directory}.`,
        {
          hint: 'The embedded database serves one command at a time: wait for the other one, or use a server.',
        },
      );
    } else await sleep(100);
  }
}

/** The live process that owns the folder, if any. An empty file may be about to be written. */
async function ownerOf(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') {
    await sleep(50);
    if ((await readFile(file, 'utf8').catch(() => '')) === '') return undefined;
    return ownerOf(file);
  }
  const owner = Number(text);
  // We have not written our own process id yet: it is left over from an earlier container.
  if (!Number.isInteger(owner) || owner === pid) return undefined;
  try {
    kill(owner, 0);
    return owner;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? owner : undefined;
  }
}

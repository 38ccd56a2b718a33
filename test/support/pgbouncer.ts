import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';
import { giveAway, identity, makeFolder, reachableFolder } from './postgres-folders.ts';
import { freePort } from './postgres-programs.ts';
import type { ServerSettings } from '../../src/db/database.ts';

const run = promisify(execFile);

/** Debian installs it in a folder that is not on every PATH. */
const CANDIDATES = ['pgbouncer', '/usr/sbin/pgbouncer'];

export interface PgBouncerOptions {
  /** When a server connection is released; default: at the end of a transaction. */
  readonly mode?: 'transaction' | 'session' | 'statement';
  /** Server connections per database and user; default 2, so that clients really share them. */
  readonly size?: number;
  readonly lines?: readonly string[];
}

export interface PgBouncer {
  readonly settings: ServerSettings;
  /** The program's variables to connect through it. */
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  kill(): Promise<void>;
  resume(): Promise<void>;
}

/** The program; undefined if not installed. */
export async function findPgBouncer(): Promise<string | undefined> {
  for (const program of CANDIDATES) {
    const { stdout } = await run(program, ['--version']).catch(() => ({ stdout: '' }));
    if (/^PgBouncer \d/.test(stdout)) return program;
  }
  return undefined;
}

/** Starts one on a free port; it ends with the test. */
export async function startPgBouncer(
  testDatabase: Pick<TestServerDatabase, 'settings' | 'env'>,
  options: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const found = await findPgBouncer();
  if (found === undefined) throw new Error('There is no PgBouncer.');
  const { host, port: serverPort, user, database } = testDatabase.settings;
  const directory = await makeFolder(await reachableFolder(), 'pgbouncer');
  const port = await freePort();
  const [file, users] = [join(directory, 'pgbouncer.ini'), join(directory, 'users.txt')];
  // It logs in to the server with this file and trusts its clients.
  await writeFile(users, `"${user}" "${testDatabase.env['DB_PASSWORD']}"\n`);
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${host} port=${serverPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${users}`,
      `pool_mode = ${options.mode ?? 'transaction'}`,
      `default_pool_size = ${options.size ?? 2}`,
      'max_client_conn = 200',
      'server_login_retry = 1',
      ...(options.lines ?? []),
    ].join('\n'),
  );
  await giveAway(file, users);
  let child: ChildProcess;
  const start = async () => {
    child = spawn(found, [file], { cwd: directory, ...identity, stdio: ['ignore', 'ignore', 'pipe'] });
    await untilUp(child);
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  onTestFinished(async () => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    settings: { ...testDatabase.settings, host: '127.0.0.1', port },
    env: { ...testDatabase.env, DB_HOST: '127.0.0.1', DB_PORT: String(port) },
    url: `postgres://${encodeURIComponent(user)}@127.0.0.1:${port}/${database}`,
    kill,
    resume: start,
  };
}

function untilUp(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('process up')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`pgbouncer ended with ${code}:\n${log}`)));
  });
}

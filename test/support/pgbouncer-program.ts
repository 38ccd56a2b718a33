import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { giveAway, identity, makeFolder, reachableFolder } from './postgres-folders.ts';
import { freePort } from './postgres-programs.ts';

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

export interface PgBouncerProgram {
  readonly port: number;
  readonly kill: () => Promise<void>;
  readonly resume: () => Promise<void>;
  /** Ends it and removes its files. */
  readonly remove: () => Promise<void>;
}

/** The program; undefined if not installed. */
export async function findPgBouncer(): Promise<string | undefined> {
  for (const program of CANDIDATES) {
    const { stdout } = await run(program, ['--version']).catch(() => ({ stdout: '' }));
    if (/^PgBouncer \d/.test(stdout)) return program;
  }
  return undefined;
}

/** Starts one on a free port in front of a server. The caller removes it. */
export async function launchPgBouncer(
  server: { readonly host: string; readonly port: number; readonly user: string; readonly password: string },
  options: PgBouncerOptions = {},
): Promise<PgBouncerProgram> {
  const found = await findPgBouncer();
  if (found === undefined) throw new Error('There is no PgBouncer.');
  const directory = await makeFolder(await reachableFolder(), 'pgbouncer');
  const port = await freePort();
  const [file, users] = [join(directory, 'pgbouncer.ini'), join(directory, 'users.txt')];
  // It logs in to the server with this file and trusts its clients.
  await writeFile(users, `"${server.user}" "${server.password}"\n`);
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${server.host} port=${server.port}`,
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
  return {
    port,
    kill,
    resume: start,
    async remove() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
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

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withPostgres } from '../../test/support/with-postgres.ts';
import { withConnection } from './connection.ts';

export interface BenchServer {
  readonly url: string;
  readonly version: string;
  /** The process whose children are the backends. */
  readonly postmasterPid: number;
}

/**
 * Runs `use` beside a PostgreSQL of its own, with the settings that PostgreSQL itself has: fsync is on, and
 * max_locks_per_transaction is 64, which is what a fleet meets in the field. The server ends with the process.
 */
export async function withServer<T>(use: (server: BenchServer) => Promise<T>): Promise<T> {
  return withPostgres({ isDurable: true }, async ({ url, directory }) => {
    const postmaster = await readFile(join(directory, 'data/postmaster.pid'), 'utf8');
    return use({
      url,
      version: await setting(url, 'server_version'),
      postmasterPid: Number(postmaster.split('\n')[0]),
    });
  });
}

/**
 * Brings the server to rest before something is timed: what the work before left to be written must not fall into the
 * time of the work that comes. @throws Error where the server has other settings than PostgreSQL's own
 */
export async function settle({ url }: BenchServer): Promise<void> {
  const found = [await setting(url, 'fsync'), await setting(url, 'max_locks_per_transaction')];
  if (found.join() !== 'on,64') throw new Error(`fsync and max_locks_per_transaction are ${found.join()}`);
  await withConnection(url, (client) => client.query('CHECKPOINT'));
}

/**
 * Runs `prepare`, which is not timed, with fsync off, then has the system write everything to the disk at once: a fleet
 * of 10,000 tenants is 200,000 files, and to flush each on its own takes longer than all measurements together.
 */
export async function withoutFsync<T>({ url }: BenchServer, prepare: () => Promise<T>): Promise<T> {
  await switchFsync(url, 'off');
  try {
    return await prepare();
  } finally {
    // What is still to be flushed is forgotten by a checkpoint while fsync is off.
    await withConnection(url, (client) => client.query('CHECKPOINT'));
    if (process.platform !== 'win32') await promisify(execFile)('sync');
    await switchFsync(url, 'on');
  }
}

/** How long the server's own processes may take to read the configuration again after the first backend has it. */
const RELOAD_MS = 100;

async function switchFsync(url: string, to: 'on' | 'off'): Promise<void> {
  await withConnection(url, async (client) => {
    await client.query(`ALTER SYSTEM SET fsync = ${to}`);
    await client.query('SELECT pg_reload_conf()');
  });
  while ((await setting(url, 'fsync')) !== to) await sleep(RELOAD_MS / 10);
  await sleep(RELOAD_MS);
}

/** A setting as a new connection finds it. */
async function setting(url: string, name: string): Promise<string> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
    return rows[0]?.value ?? '';
  });
}

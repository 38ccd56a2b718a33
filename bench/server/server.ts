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
  /** The parent of the backends. */
  readonly postmasterPid: number;
}

/**
 * Runs `use` with a PostgreSQL server with default settings, as in production: fsync is on,
 * max_locks_per_transaction is 64. The server ends with the process.
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

/** Flushes pending writes before a measurement. @throws Error if the server's settings are not default */
export async function settle({ url }: BenchServer): Promise<void> {
  const found = [await setting(url, 'fsync'), await setting(url, 'max_locks_per_transaction')];
  if (found.join() !== 'on,64') throw new Error(`fsync and max_locks_per_transaction are ${found.join()}`);
  await withConnection(url, (client) => client.query('CHECKPOINT'));
}

/**
 * Runs `prepare`, untimed, with fsync off, then syncs everything at once: a fleet of 10,000 tenants is
 * 200,000 files, and flushing each takes longer than all measurements.
 */
export async function withoutFsync<T>({ url }: BenchServer, prepare: () => Promise<T>): Promise<T> {
  await switchFsync(url, 'off');
  try {
    return await prepare();
  } finally {
    // While fsync is off, a checkpoint discards pending flushes.
    await withConnection(url, (client) => client.query('CHECKPOINT'));
    if (process.platform !== 'win32') await promisify(execFile)('sync');
    await switchFsync(url, 'on');
  }
}

/** Milliseconds in which the server's own processes reload the configuration after the first backend has. */
const RELOAD_MS = 100;

async function switchFsync(url: string, to: 'on' | 'off'): Promise<void> {
  await withConnection(url, async (client) => {
    await client.query(`ALTER SYSTEM SET fsync = ${to}`);
    await client.query('SELECT pg_reload_conf()');
  });
  while ((await setting(url, 'fsync')) !== to) await sleep(RELOAD_MS / 10);
  await sleep(RELOAD_MS);
}

/** A setting as seen by a new connection. */
async function setting(url: string, name: string): Promise<string> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
    return rows[0]?.value ?? '';
  });
}

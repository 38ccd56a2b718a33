import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { TenantctlError, toTenantctlError } from '../errors.ts';
import { withClient } from './transaction.ts';
import type { Database, PoolOptions } from './database.ts';
import { type Place, PLACE } from './place.ts';

/** Milliseconds to wait for a second connection where only an attempt is made. */
const ATTEMPT_MS = 2_000;

/** How often one connection is asked which backend serves it. */
const LOOKS = 3;

/** An error on the way past the pooler, told as such: what it says of DB_HOST does not hold there. */
function directError(thrown: unknown): TenantctlError {
  const error = toTenantctlError(thrown);
  return new TenantctlError(error.code, `By way of DB_DIRECT_URL: ${error.message}`, {
    sqlstate: error.sqlstate,
    hint:
      error.code === 'TLS_FAILED'
        ? error.hint
        : 'Check DB_DIRECT_URL: host, port, user and password of PostgreSQL itself, reachable from here.',
    cause: error,
  });
}

/** The lease, a lock and the migration outside a transaction that it is held for, and one look beside them. */
const DIRECT_CONNECTIONS = 4;

/** Opens the way past the pooler, and checks where it leads. @throws TenantctlError as checkDirect and openServer do */
export async function openDirect(
  pooled: Database,
  place: Place,
  open: (options: PoolOptions) => Promise<Database>,
): Promise<Database> {
  const direct = await open({ maxConnections: DIRECT_CONNECTIONS }).catch((error: unknown) => {
    throw directError(error);
  });
  try {
    await checkDirect(pooled, place, direct);
    return direct;
  } catch (error) {
    await direct.close();
    throw error;
  }
}

/**
 * Makes sure that the way past the pooler ends where the other one does, and in sessions.
 * @param before where the pooler led to when that was opened
 * @throws TenantctlError DIRECT_URL_MISMATCH where it leads to another server, database or role, or to a pooler that
 *   hands connections on
 */
async function checkDirect(pooled: Database, before: Place, direct: Database): Promise<void> {
  const found = await readPlace(direct);
  // A server that was started anew in between is the same all the same.
  const expected = before.started === found.started ? before : await readPlace(pooled);
  const differences = [
    ...(expected.started === found.started ? [] : ['another server']),
    ...(expected.oid === found.oid && expected.name === found.name
      ? []
      : [`the database "${found.name}" and not "${expected.name}"`]),
    ...(expected.role === found.role ? [] : [`the role "${found.role}" and not "${expected.role}"`]),
  ];
  if (differences.length > 0) {
    throw new TenantctlError('DIRECT_URL_MISMATCH', `DB_DIRECT_URL leads to ${differences.join(', ')}.`, {
      hint: 'It must lead to the server, the database and the role that the pooler leads to: what is created in both ways has one owner.',
    });
  }
  if (direct.behindPooler && (await handsOn(direct))) {
    throw new TenantctlError(
      'DIRECT_URL_MISMATCH',
      'DB_DIRECT_URL leads to a connection pooler that does not keep sessions.',
      { hint: 'Let it lead to PostgreSQL itself, or to a pooler in session mode.' },
    );
  }
}

async function readPlace(database: Database): Promise<Place> {
  const { rows } = await database.query<Place>(`SELECT ${PLACE}`);
  const [place] = rows;
  if (place === undefined) throw new Error('the server did not say which database this is');
  return place;
}

/**
 * Whether a pooler is caught at handing on a connection of one client to another: while a second one has a transaction
 * open, the first finds itself on a different backend. A pooler in session mode never does that. Where no second
 * connection is to be had while the first is idle, it keeps sessions.
 */
async function handsOn(database: Database): Promise<boolean> {
  return withClient(database, async (first) => {
    const before = await pidOf(first);
    const lookBeside = async (second: PoolClient): Promise<boolean> => {
      const begun = second.query('BEGIN').then(() => true);
      if (!(await Promise.race([begun, sleep(ATTEMPT_MS, false)]))) {
        begun.catch(() => {});
        await second.end();
        return false;
      }
      try {
        for (let look = 0; look < LOOKS; look += 1) if ((await pidOf(first)) !== before) return true;
        return false;
      } finally {
        await second.query('ROLLBACK');
      }
    };
    return withClient(database, lookBeside, { purpose: 'aside' });
  });
}

async function pidOf(client: PoolClient): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}

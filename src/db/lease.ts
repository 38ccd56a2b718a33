import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { IDLE_TIMEOUT_MS } from './dead-client.ts';
import { DIRECT_URL_REMEDY } from './direct.ts';
import { keepLock } from './lock-keeper.ts';
import { keepAlive } from './pg-internals.ts';
import { literal } from './sql.ts';
import { BEGIN, withClient } from './transaction.ts';
import type { Database, Lease, LeaseShare } from './database.ts';
import { tryLock } from './advisory-lock.ts';

/** Milliseconds between attempts to regain a lost lock. */
const AGAIN_MS = 1_000;

/** Milliseconds to wait for the end of the lease's transaction before its connection is cut. */
const ROLLBACK_MS = 1_000;

const FOR_EVER_MS = 2_147_483_647;

/** Milliseconds to wait for a pooler's second connection if connect has no limit. */
const DEFAULT_TIMEOUT_MS = 10_000;

export function lockOfLease(id: string): string {
  return `lease:${id}`;
}

/**
 * Joins the database's lease, on a session if there are any. Through a pooler it checks that another
 * connection is left: a pooler may have only one, and then the lease would block the work.
 * @param beside what the work uses
 * @returns undefined for an embedded database: only one process can use it
 * @throws TenantctlError POOLER_EXHAUSTED; CONCURRENCY_TOO_HIGH, DATABASE_CLOSED, and as Database.sessions
 *   does
 */
export async function takeLease(
  database: Database,
  beside: Pick<Database, 'query'>,
): Promise<LeaseShare | undefined> {
  if (!database.hasParallelSessions) return undefined;
  const share = (database.hasSessions ? await database.sessions() : database).lease.take();
  try {
    if (database.hasSessions) await share.tried;
    else await provePoolerHasOneLeft(share, beside, database.connectTimeoutMs || DEFAULT_TIMEOUT_MS);
    return share;
  } catch (error) {
    await share.release();
    throw error;
  }
}

async function provePoolerHasOneLeft(
  { tried }: LeaseShare,
  beside: Pick<Database, 'query'>,
  timeoutMs: number,
): Promise<void> {
  const both = tried.then(() => beside.query('SELECT 1'));
  both.catch(() => {});
  // Random, so that two processes that block each other do not give up at the same time.
  const late = sleep(timeoutMs * (1 + Math.random() / 2), 'late', { ref: false });
  if ((await Promise.race([both, late])) !== 'late') return;
  throw new TenantctlError(
    'POOLER_EXHAUSTED',
    `The connection pooler gave no second connection within ${Math.ceil(timeoutMs / 1000)} s: one shows others that the run is at work, another does the work.`,
    {
      hint: `Allow more server connections in the pooler (default_pool_size in PgBouncer), try again when fewer are in use, or allow more time with CONNECT_TIMEOUT_MS. Or: ${DIRECT_URL_REMEDY}`,
    },
  );
}

export function createLease(database: () => Database): Lease & { close(): Promise<void> } {
  let shares = 0;
  let held: ReturnType<typeof hold> | undefined;
  const close = async () => {
    const ending = held;
    held = undefined;
    await ending?.end();
  };
  return {
    take() {
      shares += 1;
      held ??= hold(database());
      const { id, tried } = held;
      let isReleased = false;
      return {
        id,
        tried,
        async release() {
          if (isReleased) return;
          isReleased = true;
          shares -= 1;
          if (shares === 0) await close();
        },
      };
    },
    close,
  };
}

/** Holds the lock until `end`, on a new connection if one is lost. */
function hold(database: Database) {
  const id = randomUUID();
  const over = new AbortController();
  const { signal } = over;
  const { promise: tried, resolve: onTried, reject } = Promise.withResolvers<void>();
  tried.catch(() => {});
  const keep = async () => {
    while (!signal.aborted) {
      try {
        await withClient(
          database,
          (client, spoil) => holdOn(client, spoil, openingOf(database, lockOfLease(id)), signal, onTried),
          { purpose: 'lease', tenants: 0 },
        );
      } catch (error) {
        const code = error instanceof TenantctlError ? error.code : undefined;
        if (code === 'CONCURRENCY_TOO_HIGH' || code === 'DATABASE_CLOSED') throw error;
      }
      onTried();
      await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  };
  const keeping = keep().catch(reject);
  return {
    id,
    tried,
    async end() {
      over.abort();
      await keeping;
    },
  };
}

/**
 * A transaction-level lock also holds through a pooler in transaction mode
 * (https://www.pgbouncer.org/features.html). The idle READ COMMITTED transaction has no snapshot and no
 * transaction id, so it blocks neither VACUUM nor CREATE INDEX CONCURRENTLY. A killed process loses the lock
 * at once, a vanished host within IDLE_TIMEOUT_MS.
 */
function openingOf(database: Database, lock: string): string {
  return [
    BEGIN,
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
    // No limit (https://www.postgresql.org/docs/17/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT).
    ...(database.hasTransactionTimeout ? ['SET LOCAL transaction_timeout = 0'] : []),
    `SET LOCAL application_name = ${literal('tenantctl lease')}`,
    `SELECT ${tryLock(lock)} AS locked`,
  ].join(';\n');
}

/** Holds the lock on one connection until `signal`. Does not keep the process alive. */
async function holdOn(
  client: PoolClient,
  spoil: () => void,
  opening: string,
  signal: AbortSignal,
  onTried: () => void,
): Promise<void> {
  // A pooler without a free connection does not answer, nor does a vanished server.
  const until = (end: AbortSignal) => sleep(FOR_EVER_MS, undefined, { signal: end, ref: false });
  try {
    const results = await Promise.race([client.query(opening), until(signal)]);
    const locked = (results as unknown as QueryResult<{ locked: boolean }>[]).at(-1)?.rows[0]?.locked;
    // The server has not yet noticed the loss of the previous connection.
    if (locked !== true) return;
    onTried();
    keepAlive(client, false);
    const keeper = keepLock(client);
    await until(AbortSignal.any([signal, keeper.lost])).finally(() => void keeper.release());
  } finally {
    keepAlive(client, true);
    const isOver = client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    if (!(await Promise.race([isOver, sleep(ROLLBACK_MS, false, { ref: false })]))) spoil();
  }
}

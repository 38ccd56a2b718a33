import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { IDLE_TIMEOUT_MS, SIGN_OF_LIFE, SIGN_OF_LIFE_MS } from './dead-client.ts';
import type { Database, Lease, LeaseShare } from './database.ts';
import { keepAlive } from './pg-internals.ts';
import { DIRECT_URL_REMEDY } from './pooler.ts';
import { literal } from './sql.ts';
import { BEGIN, tryLock, withClient } from './transaction.ts';

/** Milliseconds between two attempts to get a lost lock back. */
const AGAIN_MS = 1_000;

/** Milliseconds to wait for the end of the lease's transaction; then its connection is cut. */
const ROLLBACK_MS = 1_000;

/** The longest wait of a timer. */
const FOR_EVER_MS = 2_147_483_647;

/** Milliseconds to wait for a second connection of a pooler, where connects may take any time. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** The name of the advisory lock of a lease. */
export function lockOfLease(id: string): string {
  return `lease:${id}`;
}

/**
 * Takes part in the database's lease, by way of sessions where there are any. Through a pooler it is proved that another
 * connection is left: a pooler shares out few, and with the only one taken everybody would wait for everybody.
 * @param beside what the work uses
 * @returns undefined for an embedded database: one process has it to itself
 * @throws TenantctlError POOLER_EXHAUSTED; CONCURRENCY_TOO_HIGH, DATABASE_CLOSED, and as Database.sessions does
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
  // Two processes that took each other's second connection must not let go of them at once.
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

/** A lease that is held, or about to be. */
interface Held extends Pick<LeaseShare, 'id' | 'tried'> {
  end(): Promise<void>;
}

/** The lease of one database. @returns it, and what ends it when the database is closed */
export function createLease(database: Omit<Database, 'lease'>): Lease & { close(): Promise<void> } {
  let shares = 0;
  let held: Held | undefined;
  const end = async () => {
    const ending = held;
    held = undefined;
    await ending?.end();
  };
  return {
    take() {
      shares += 1;
      held ??= hold(database);
      const { id, tried } = held;
      let isReleased = false;
      return {
        id,
        tried,
        async release() {
          if (isReleased) return;
          isReleased = true;
          shares -= 1;
          if (shares === 0) await end();
        },
      };
    },
    close: end,
  };
}

function hold(database: Omit<Database, 'lease'>): Held {
  const id = randomUUID();
  const over = new AbortController();
  const tried = Promise.withResolvers<void>();
  const keeper = keep(database, lockOfLease(id), over.signal, tried.resolve).catch(tried.reject);
  tried.promise.catch(() => {});
  return {
    id,
    tried: tried.promise,
    async end() {
      over.abort();
      await keeper;
    },
  };
}

/** Holds the lock until told otherwise; where the connection is lost, on another. @param onTried called after each attempt */
async function keep(
  database: Omit<Database, 'lease'>,
  name: string,
  signal: AbortSignal,
  onTried: () => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const use = (client: PoolClient, spoil: () => void) =>
        holdOn(database, client, spoil, { name, signal, onTried });
      await withClient(database, use, { purpose: 'lease', tenants: 0 });
    } catch (error) {
      const code = error instanceof TenantctlError ? error.code : undefined;
      if (code === 'CONCURRENCY_TOO_HIGH' || code === 'DATABASE_CLOSED') throw error;
    }
    onTried();
    await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

/**
 * Holds the lock in a transaction that idles in READ COMMITTED, with no snapshot and no transaction id, so that neither
 * VACUUM nor CREATE INDEX CONCURRENTLY waits for it. The lock belongs to the transaction and not to the session, so it
 * holds through a pooler in transaction mode (https://www.pgbouncer.org/features.html). A process that is killed lets go
 * of it at once, one whose host has vanished within IDLE_TIMEOUT_MS. It does not keep the process from ending.
 */
async function holdOn(
  database: Pick<Database, 'hasTransactionTimeout'>,
  client: PoolClient,
  spoil: () => void,
  {
    name,
    signal,
    onTried,
  }: { readonly name: string; readonly signal: AbortSignal; readonly onTried: () => void },
): Promise<void> {
  const statements = [
    BEGIN,
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
    // However long it lasts (https://www.postgresql.org/docs/17/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT).
    ...(database.hasTransactionTimeout ? ['SET LOCAL transaction_timeout = 0'] : []),
    `SET LOCAL application_name = ${literal('tenantctl lease')}`,
    `SELECT ${tryLock(name)} AS locked`,
  ];
  // A pooler that has no connection to spare lets it wait, and a server that has vanished does not answer.
  const over = sleep(FOR_EVER_MS, undefined, { signal, ref: false });
  over.catch(() => {});
  try {
    const results = (await Promise.race([
      client.query(statements.join(';\n')),
      over,
    ])) as unknown as QueryResult<{
      locked: boolean;
    }>[];
    // The server has not yet noticed that the connection before was lost.
    if (results.at(-1)?.rows[0]?.locked !== true) throw new Error(`${name} is still held`);
    onTried();
    keepAlive(client, false);
    for (;;) {
      await Promise.race([sleep(SIGN_OF_LIFE_MS, undefined, { ref: false }), over]);
      await Promise.race([client.query(SIGN_OF_LIFE), over]);
    }
  } finally {
    keepAlive(client, true);
    const isOver = client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    if (!(await Promise.race([isOver, sleep(ROLLBACK_MS, false, { ref: false })]))) spoil();
  }
}

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { IDLE_TIMEOUT_MS, SIGN_OF_LIFE, SIGN_OF_LIFE_MS } from './dead-client.ts';
import { DIRECT_URL_REMEDY } from './pooler.ts';
import { literal } from './sql.ts';
import { BEGIN, tryLock } from './transaction.ts';
import type { Database } from './database.ts';

/** A lock that shows others that this process is alive. */
export interface Lease {
  /** Takes the lock of that name; where that cannot be done now, returns, and goes on trying. To be called once. */
  hold(name: string): Promise<void>;
  release(): Promise<void>;
}

/** Milliseconds to wait for a second connection, where the database was opened without a limit. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** Milliseconds between two attempts to get a lost lock back. */
const AGAIN_MS = 1_000;

/**
 * A lease that is held, with proof that it leaves a connection to others. A pooler shares out few, and the lease would
 * keep the only one from the work that it stands for: everybody would wait for everybody.
 * @param beside what the work goes over
 * @throws TenantctlError POOLER_EXHAUSTED, and as Database.sessions does
 */
export async function takeLease(
  database: Database,
  name: string,
  beside: Pick<Database, 'query'>,
): Promise<Lease> {
  const lease = openLease(database.hasSessions ? await database.sessions() : database);
  if (database.hasSessions) {
    await lease.hold(name);
    return lease;
  }
  const timeoutMs = database.pool.options.connectionTimeoutMillis || DEFAULT_TIMEOUT_MS;
  try {
    const both = lease.hold(name).then(() => beside.query('SELECT 1'));
    both.catch(() => {});
    // Two that took each other's second connection must not let go of them at once.
    const late = sleep(timeoutMs * (1 + Math.random() / 2), 'late', { ref: false });
    if ((await Promise.race([both, late])) !== 'late') return lease;
    throw exhausted(timeoutMs);
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function exhausted(timeoutMs: number): TenantctlError {
  return new TenantctlError(
    'POOLER_EXHAUSTED',
    `The connection pooler gave no second connection within ${Math.ceil(timeoutMs / 1000)} s: one shows others that the run is at work, another does the work.`,
    {
      hint: `Allow more server connections in the pooler (default_pool_size in PgBouncer), try again when fewer are in use, or allow more time with CONNECT_TIMEOUT_MS. Or: ${DIRECT_URL_REMEDY}`,
    },
  );
}

/**
 * A lease on a connection of its own, beside the pool's: they may all be at work. Its transaction idles in READ
 * COMMITTED, with no snapshot and no transaction id, so that neither VACUUM nor CREATE INDEX CONCURRENTLY waits for it;
 * and as the lock belongs to the transaction and not to the session, it holds through a pooler in transaction mode
 * (https://www.pgbouncer.org/features.html). A process that is killed lets go of it at once, one whose host has vanished
 * within IDLE_TIMEOUT_MS. A connection that was lost is replaced. Nothing fails for want of a lease.
 *
 * The connection is begun right away. It does not keep the process from ending.
 */
function openLease(database: Database): Lease {
  const over = new AbortController();
  const first = connect(database);
  first.catch(() => {});
  let keeper: Promise<void> | undefined;
  return {
    async hold(name) {
      const tried = Promise.withResolvers<void>();
      keeper = keep(database, name, first, over.signal, tried.resolve);
      await tried.promise;
    },
    async release() {
      over.abort();
      await (keeper ?? first.then(closed, () => {}));
    },
  };
}

/** Holds the lock until told otherwise. @param onTried called after each attempt to take it */
async function keep(
  database: Database,
  name: string,
  first: Promise<Client>,
  signal: AbortSignal,
  onTried: () => void,
): Promise<void> {
  let connecting: Promise<Client> | undefined = first;
  let client: Client | undefined;
  while (!signal.aborted) {
    try {
      client = await (connecting ?? connect(database));
      connecting = undefined;
      const lost = once(client, 'end', { signal });
      lost.catch(() => {});
      // A pooler may have no connection to spare, and let it wait.
      await Promise.race([
        take(database, client, name),
        lost.then(() => Promise.reject(new Error('it was lost'))),
      ]);
      onTried();
      unref(client, true);
      for (;;) {
        await Promise.race([sleep(SIGN_OF_LIFE_MS, undefined, { signal, ref: false }), lost]);
        await client.query(SIGN_OF_LIFE);
      }
    } catch {
      connecting = undefined;
      onTried();
      if (client !== undefined) await closed(client);
      client = undefined;
      await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

async function connect(database: Database): Promise<Client> {
  const { options } = database.pool;
  // The pool hides the password from whoever copies its options.
  const client = new Client({ ...options, password: options.password, application_name: 'tenantctl lease' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function closed(client: Client): Promise<void> {
  unref(client, false);
  await client.end().catch(() => {});
}

/** Whether the connection keeps the process from ending; pg has it, and its types do not. */
function unref(client: Client, isUnref: boolean): void {
  const socket = client as Client & { ref(): void; unref(): void };
  if (isUnref) socket.unref();
  else socket.ref();
}

/** @throws where somebody else has it: the server has not missed us yet */
async function take(database: Database, client: Client, name: string): Promise<void> {
  const statements = [
    BEGIN,
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
    // However long it lasts (https://www.postgresql.org/docs/17/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT).
    ...(database.serverVersion >= 170_000 ? ['SET LOCAL transaction_timeout = 0'] : []),
    `SET LOCAL application_name = ${literal(`tenantctl ${name}`)}`,
    `SELECT ${tryLock(name)} AS locked`,
  ];
  const results = (await client.query(statements.join(';\n'))) as unknown as QueryResult<{
    locked: boolean;
  }>[];
  if (results.at(-1)?.rows[0]?.locked !== true) throw new Error(`the lock ${name} is held by somebody else`);
}

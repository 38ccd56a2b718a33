import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { finished } from 'node:stream/promises';
import { Pool, type PoolClient } from 'pg';
import { messageOf, TenantctlError } from '../errors.ts';
import { databaseClosed, toConnectionError } from './database-error.ts';
import { APPLICATION_NAME, type Address, type Connections, type PoolOptions } from './database.ts';
import { requestCancel, socketOf } from './pg-internals.ts';
import { createPlaces, DEFAULT_WAIT_MS, exhausted, type Places, type Purpose } from './connection-queue.ts';

const TENANTS_PER_CONNECTION = 1_000;

/** Milliseconds that a closed connection keeps its place if the server does not confirm the end. */
const CLOSING_MS = 1_000;

/** Milliseconds until a cancelled connection is cut: its migration is not waiting for the server. */
const GRACE_MS = 1_000;

/** Milliseconds between checks that all cancelled work has ended. */
const LOOK_MS = 20;

/** Milliseconds between cancel requests for the same work. */
const REQUEST_EVERY_MS = 500;

/** Milliseconds after which a cancel request is abandoned. */
const REQUEST_TIMEOUT_MS = 1_000;

/** pg-pool's message when all its connections were in use: then the application itself has some of them. */
const WAITED_IN_POOL = 'timeout exceeded when trying to connect';

export interface ConnectionOptions extends PoolOptions {
  /** All connections share one session (PGlite): the pool has one, for every purpose. */
  readonly sharedSession?: boolean;
}

/** Prepares the pool without opening a connection. */
export function createConnections(settings: Address, options: ConnectionOptions): Connections {
  const { maxConnections: max, waitTimeoutMs = DEFAULT_WAIT_MS, sharedSession = false } = options;
  const pool = createPool(settings, max);
  const places = createPlaces(max, waitTimeoutMs);
  const inUse = new Map<PoolClient, () => void>();
  const served = new WeakMap<PoolClient, number>();

  const connect = async (purpose: Purpose): Promise<PoolClient> => {
    // Waiting would not help: this pool never has enough connections.
    if (max < NEEDED[purpose] && !sharedSession) throw poolTooSmall(purpose, max);
    const [client, leave] = await takeClient(pool, places, settings, purpose);
    inUse.set(client, leave);
    if (!pool.ending) return client;
    giveBack(client, true, 0);
    throw databaseClosed();
  };
  const giveBack: Connections['giveBack'] = (client, isBroken, tenants) => {
    const leave = inUse.get(client) ?? (() => {});
    inUse.delete(client);
    const sum = (served.get(client) ?? 0) + tenants;
    served.set(client, sum);
    const isClosed = isBroken || (sum >= TENANTS_PER_CONNECTION && !sharedSession);
    client.release(isClosed);
    if (!isClosed) return leave();
    void closed(client).then(leave, leave);
  };
  // PGlite cannot cancel.
  const cancel = async () => (sharedSession ? undefined : cancelAll(settings, inUse));
  return {
    pool,
    max,
    get width() {
      return places.width;
    },
    limitTo: (connections) => places.limitTo(connections),
    opened: () => pool.totalCount,
    connect,
    giveBack,
    async inTurn(call) {
      const leave = await places.take('call');
      try {
        return await call();
      } finally {
        leave();
      }
    },
    async warm(connections, text) {
      const missing = Math.max(0, Math.min(connections, places.width) - pool.totalCount);
      await openAhead(missing, text, { connect, giveBack });
    },
    closeIdleAfter: (ms) => void (pool.options.idleTimeoutMillis = ms),
    cancel,
    async stop(client) {
      if (!sharedSession) await requestCancels(settings, [client]);
      if (inUse.has(client)) socketOf(client).destroy();
    },
    async end() {
      places.close(databaseClosed());
      // pg-pool hands out idle connections on the next tick, and never answers what still waits when it ends.
      await nextTurn();
      const over = pool.end();
      await cancel();
      await over;
    },
  };
}

/** A failure is reported to the caller that needs the connection later. */
async function openAhead(
  connections: number,
  text: string,
  { connect, giveBack }: Pick<Connections, 'connect' | 'giveBack'>,
): Promise<void> {
  const open = async () => {
    const client = await connect('work');
    const end = (isBroken: boolean) => () => giveBack(client, isBroken, 0);
    await client.query(text).then(end(false), end(true));
  };
  await Promise.allSettled(Array.from({ length: connections }, open));
}

/** Waits for a place, and for a connection that the server can give. */
async function takeClient(
  pool: Pool,
  places: Places,
  settings: Address,
  purpose: Purpose,
): Promise<readonly [client: PoolClient, leave: () => void]> {
  for (;;) {
    const leave = await places.take(purpose);
    try {
      return [await pool.connect(), leave];
    } catch (error) {
      leave();
      const failure = connectFailure(error, pool, settings);
      // too_many_connections, perhaps because of this pool's own.
      if (failure.sqlstate !== '53300' || !places.goOnWith(pool.totalCount, purpose)) throw failure;
    }
  }
}

function connectFailure(error: unknown, pool: Pool, settings: Address): TenantctlError {
  if (pool.ending) return databaseClosed(error);
  if (messageOf(error) !== WAITED_IN_POOL) return toConnectionError(error, settings);
  return exhausted(pool.options.max, settings.connectTimeoutMs);
}

/** A place is free once the server has dropped the connection, or after CLOSING_MS. */
async function closed(client: PoolClient): Promise<void> {
  await Promise.race([finished(socketOf(client)), sleep(CLOSING_MS, undefined, { ref: false })]);
}

async function requestCancels(settings: Address, clients: readonly PoolClient[]): Promise<void> {
  await Promise.allSettled(clients.map((client) => requestCancel(settings, client, REQUEST_TIMEOUT_MS)));
}

async function cancelAll(settings: Address, inUse: ReadonlyMap<PoolClient, unknown>): Promise<void> {
  let clients = [...inUse.keys()];
  for (let waited = 0; waited < GRACE_MS && clients.length > 0; waited += LOOK_MS) {
    // A request has no effect if it overtakes the statement.
    if (waited % REQUEST_EVERY_MS === 0) await requestCancels(settings, clients);
    await sleep(LOOK_MS);
    clients = clients.filter((client) => inUse.has(client));
  }
  for (const client of clients) socketOf(client).destroy();
}

function createPool(settings: Address, max: number): Pool {
  const pool = new Pool({
    ...clientConfig(settings),
    max,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  // A broken connection must not end the process: the running or next query reports it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** How pg connects to an address. */
export function clientConfig(settings: Address) {
  const { host, port, user, password, database, ssl } = settings;
  return {
    host,
    port,
    user,
    database,
    ssl,
    ...(password !== undefined && { password }),
    application_name: APPLICATION_NAME,
    // In a pool it limits only the connect: callers queue in front of the pool.
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** How many connections a pool needs for each purpose. */
export const NEEDED: Readonly<Record<Purpose, number>> = { call: 1, work: 1, query: 1, lease: 2, aside: 3 };

export function poolTooSmall(purpose: Purpose, max: number): TenantctlError {
  const why =
    purpose === 'lease'
      ? 'A run needs 2 connections: one shows others that it is at work, one does the work'
      : 'This migration needs 3 connections: one shows others that the run is at work, one holds the lock of the tenant, one works beside it';
  return new TenantctlError(
    'CONCURRENCY_TOO_HIGH',
    `${why}. This database was opened with maxConnections: ${max}.`,
    { hint: `Open it with maxConnections: ${NEEDED[purpose]} or more.` },
  );
}

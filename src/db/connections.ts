import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, type PoolClient } from 'pg';
import { TenantctlError } from '../errors.ts';
import { COUNT, described, isWithin, MILLISECONDS } from '../limits.ts';
import { cancelClients, stopClient, type AtWork } from './cancel.ts';
import { databaseClosed, toConnectionError } from './database-error.ts';
import { APPLICATION_NAME, type Connections, type PoolOptions, type ServerSettings } from './database.ts';
import { createPlaces, DEFAULT_WAIT_MS, type Purpose } from './places.ts';

/** After so many tenants a connection is closed, and the next one opened in its place. */
const TENANTS_PER_CONNECTION = 1_000;

/** Milliseconds that a closed connection's place stays taken, if the server does not confirm the end. */
const CLOSING_MS = 1_000;

/** The server's settings, and what is different for an embedded one. */
export interface ConnectionOptions extends PoolOptions {
  /** All connections are one session (PGlite): there is one, for every purpose. */
  readonly sharedSession?: boolean;
}

/** Prepares the connections to a server; opens none. @throws TenantctlError USAGE for options out of range */
export function createConnections(
  settings: Omit<ServerSettings, 'kind'>,
  options: ConnectionOptions,
): Connections {
  const { maxConnections: max, waitTimeoutMs = DEFAULT_WAIT_MS, sharedSession = false } = options;
  assertOptions({ maxConnections: max, waitTimeoutMs });
  const pool = createPool(settings, max);
  const places = createPlaces(max, waitTimeoutMs);
  const taken = createTaken(pool, settings, sharedSession);
  const connect = async (purpose: Purpose): Promise<PoolClient> => {
    // What would wait for a connection that this pool never has is refused at once.
    if (max < NEEDED[purpose] && !sharedSession) throw poolTooSmall(purpose, max);
    return taken.take(await places.take(purpose));
  };
  return {
    max,
    width: places.width,
    get opened() {
      return pool.totalCount;
    },
    connect,
    giveBack: taken.giveBack,
    async inTurn(call) {
      const leave = await places.take('call');
      try {
        return await call();
      } finally {
        leave();
      }
    },
    async warm(connections) {
      const missing = Math.max(0, Math.min(connections, places.width) - pool.totalCount);
      const opened = await Promise.allSettled(Array.from({ length: missing }, () => connect('work')));
      // Whoever needs one that could not be had hears why then.
      for (const one of opened) if (one.status === 'fulfilled') taken.giveBack(one.value, false, 0);
    },
    closeIdleAfter(ms) {
      pool.options.idleTimeoutMillis = ms;
    },
    cancel: (behindPooler) => cancelClients(pool.options, taken, behindPooler),
    stop: (client, behindPooler) => stopClient(pool.options, taken, client, behindPooler),
    async end(behindPooler) {
      places.close(databaseClosed());
      const over = pool.end();
      if (taken.clients().length > 0 && !sharedSession)
        await cancelClients(pool.options, taken, behindPooler);
      await over;
    },
  };
}

/** The connections of a pool that somebody has taken, each with its place. */
interface Taken extends AtWork {
  /** @param leave gives the place back @throws TenantctlError as toConnectionError makes it, DATABASE_CLOSED */
  take(leave: () => void): Promise<PoolClient>;
  giveBack: Connections['giveBack'];
}

function createTaken(pool: Pool, settings: Omit<ServerSettings, 'kind'>, sharedSession: boolean): Taken {
  const served = new WeakMap<PoolClient, number>();
  const inUse = new Map<PoolClient, () => void>();
  const ended = new WeakSet<PoolClient>();
  pool.on('connect', (client) => client.once('end', () => ended.add(client)));
  return {
    has: (client) => inUse.has(client),
    clients: () => [...inUse.keys()],
    async take(leave) {
      try {
        const client = await pool.connect();
        inUse.set(client, leave);
        // Closed in the meantime: the pool waits for it to come back.
        if (pool.ending) {
          this.giveBack(client, true, 0);
          throw databaseClosed();
        }
        return client;
      } catch (error) {
        leave();
        throw pool.ending ? databaseClosed(error) : toConnectionError(error, settings);
      }
    },
    giveBack(client, broken, tenants) {
      const leave = inUse.get(client);
      inUse.delete(client);
      const sum = (served.get(client) ?? 0) + tenants;
      served.set(client, sum);
      const isClosed = broken !== false || (sum >= TENANTS_PER_CONNECTION && !sharedSession);
      client.release(isClosed);
      if (leave === undefined) return;
      // The next one opens when this one is gone from the server.
      if (isClosed && !ended.has(client)) {
        const gone = once(client, 'end');
        void Promise.race([gone, sleep(CLOSING_MS, undefined, { ref: false })]).then(leave, leave);
      } else leave();
    },
  };
}

function createPool(settings: Omit<ServerSettings, 'kind'>, max: number): Pool {
  const pool = new Pool({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    ...(settings.password !== undefined && { password: settings.password }),
    database: settings.database,
    ssl: settings.ssl,
    application_name: APPLICATION_NAME,
    // For the connect alone: who waits for a connection waits in the queue in front of the pool.
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    max,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  // A connection that breaks must not end the process: the query at work, or the next one, reports it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function assertOptions(options: { readonly maxConnections: number; readonly waitTimeoutMs: number }): void {
  const ranges = { maxConnections: COUNT, waitTimeoutMs: { ...MILLISECONDS, least: 1 } };
  for (const [name, range] of Object.entries(ranges)) {
    const value: unknown = options[name as keyof typeof ranges];
    if (isWithin(value, range)) continue;
    const given = typeof value === 'number' ? value : JSON.stringify(value);
    throw new TenantctlError('USAGE', `${name} must be ${described(range)}; it is ${given}.`);
  }
}

/** How many connections a pool needs to serve a purpose. */
export const NEEDED: Readonly<Record<Purpose, number>> = { call: 1, work: 1, query: 1, lease: 2, aside: 3 };

/** Why a pool can never serve a purpose. */
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

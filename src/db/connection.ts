import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { Client, Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { TenantctlError } from '../errors.ts';
import { createConcealer } from '../secrets.ts';
import { toConnectionError, toDatabaseError } from './database-error.ts';
import { canCheckClient, deadClientSettings, type ServerSettingValues } from './dead-client.ts';

/** Where a PostgreSQL server is and how to log in. */
export interface ServerSettings {
  readonly kind: 'server';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string | undefined;
  readonly database: string;
  /** TLS as Node's tls.connect takes it; false for a plain connection. */
  readonly ssl: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'> | false;
  /** Milliseconds to wait for a connection. */
  readonly connectTimeoutMs: number;
}

/** PostgreSQL compiled to WebAssembly, kept in a folder (src/db/embedded.ts). */
export interface EmbeddedSettings {
  readonly kind: 'embedded';
  /** Absolute path of the folder. */
  readonly directory: string;
  /** Milliseconds to wait while another process uses the folder. */
  readonly lockWaitMs: number;
}

export type DatabaseSettings = ServerSettings | EmbeddedSettings;

export interface PoolOptions {
  /** The most connections that the pool opens. One more serves a migration that runs outside a transaction. */
  readonly maxConnections: number;
}

/** An open database: a pool of connections and what was learned when the first was opened. */
export interface Database {
  readonly pool: Pool;
  /**
   * Sends one query on any connection of the pool.
   * @throws TenantctlError DATABASE_ERROR with the SQLSTATE, or as openServer does where no connection can be had
   */
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
  /** A connection of the pool. Prefer withClient, which gives it back. @throws TenantctlError as query does */
  connect(): Promise<PoolClient>;
  /**
   * Gives a connection back. One that broke is closed, and so is one that has served many tenants: a backend keeps in
   * its memory what it knows of every table that it has opened, until it ends.
   * @param tenants how many tenants it has served since it was taken
   */
  giveBack(client: PoolClient, broken: Error | boolean, tenants: number): void;
  /** Opens so many connections of the pool ahead of their use, as far as the server has them. */
  warm(connections: number): Promise<void>;
  /** As the server reports it in server_version_num, e.g. 150018. */
  readonly serverVersion: number;
  /** The server's own name for its version, e.g. "15.18 (Debian 15.18-0+deb12u1)". */
  readonly serverVersionText: string;
  /** All connections are one session (PGlite): a second one would wait for the first's transaction for ever. */
  readonly sharedSession: boolean;
  /** A pooler such as PgBouncer answers in the server's place: nothing that belongs to a session can be relied on. */
  readonly behindPooler: boolean;
  /** The server is a standby, or default_transaction_read_only is on. */
  readonly readOnly: boolean;
  /** client_connection_check_interval exists here: PostgreSQL 14 and later, not on Windows, not in PGlite. */
  readonly canCheckClient: boolean;
  /** The settings that make this server notice within a minute that a client is gone. */
  readonly deadClientSettings: ServerSettingValues;
  /** What was at work when this was called ends in an error, and is rolled back. */
  cancelWork(): Promise<void>;
  /** Cancels what a connection of the pool is at work on, and cuts it. */
  stop(client: PoolClient): Promise<void>;
  /** A text without the password of this connection, and without what has the form of one. */
  readonly conceal: (text: string) => string;
  /** cancelWork has been called. */
  readonly isCancelled: boolean;
  close(): Promise<void>;
}

/** Milliseconds after which a connection is cut whose statement was cancelled: its migration waits for something else. */
const CANCEL_GRACE_MS = 1_000;

const OLDEST_SERVER = 120_000;

/** After so many tenants a connection is closed, and the next one opened in its place. */
const TENANTS_PER_CONNECTION = 1_000;

/**
 * Opens a pool on a server and looks at what answers. Prefer withDatabase, which also closes it.
 *
 * Nothing is sent as a start-up parameter but application_name: PgBouncer refuses the others
 * (https://www.pgbouncer.org/config.html#ignore_startup_parameters).
 *
 * @throws TenantctlError CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED, SERVER_UNSUPPORTED
 */
export async function openServer(
  settings: Omit<ServerSettings, 'kind'>,
  options: PoolOptions & { readonly sharedSession?: boolean },
): Promise<Database> {
  const pool = new Pool({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    ...(settings.password !== undefined && { password: settings.password }),
    database: settings.database,
    ssl: settings.ssl,
    application_name: 'tenantctl',
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    max: options.maxConnections,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  // A connection that breaks must not end the process: the query at work, or the next one, reports it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const served = new WeakMap<PoolClient, number>();
  const inUse = new Set<PoolClient>();
  pool.on('acquire', (client) => inUse.add(client));
  pool.on('release', (_error, client) => inUse.delete(client));
  let isCancelled = false;
  try {
    const { build, password, ...seen } = await lookAround(pool, settings);
    refuseOldServer(seen);
    const sharedSession = options.sharedSession ?? false;
    const facts = { serverVersion: seen.serverVersion, build, sharedSession };
    const key = settings.ssl === false ? undefined : settings.ssl.key;
    const conceal = createConcealer(
      [password, typeof key === 'string' ? key : undefined].filter((secret) => !names(settings, secret)),
    );
    return {
      pool,
      connect: () => connectTo(pool, settings),
      giveBack(client, broken, tenants) {
        const sum = (served.get(client) ?? 0) + tenants;
        served.set(client, sum);
        client.release(broken !== false ? broken : sum >= TENANTS_PER_CONNECTION && !options.sharedSession);
      },
      async warm(connections) {
        const missing = Math.min(connections, options.maxConnections) - pool.totalCount;
        const opened = await Promise.allSettled(
          Array.from({ length: Math.max(0, missing) }, () => pool.connect()),
        );
        // Whoever needs one that could not be had hears why then.
        for (const one of opened) if (one.status === 'fulfilled') one.value.release();
      },
      async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) {
        const client = await connectTo(pool, settings);
        try {
          return await client.query<Row>(text, [...values]);
        } catch (error) {
          throw toDatabaseError(error).concealing(conceal);
        } finally {
          client.release(client.getTransactionStatus() !== 'I');
        }
      },
      ...seen,
      conceal,
      sharedSession,
      canCheckClient: canCheckClient(facts),
      deadClientSettings: deadClientSettings(facts),
      async cancelWork() {
        isCancelled = true;
        const atWork = [...inUse];
        // Behind a pooler, process ids are the pooler's own; it rolls back for a client that is gone.
        if (!seen.behindPooler) await cancelBackends(pool, atWork).catch(() => {});
        await sleep(seen.behindPooler ? 0 : CANCEL_GRACE_MS);
        for (const client of atWork) if (inUse.has(client)) cut(client);
      },
      async stop(client) {
        if (!seen.behindPooler) await cancelBackends(pool, [client]).catch(() => {});
        if (inUse.has(client)) cut(client);
      },
      get isCancelled() {
        return isCancelled;
      },
      close: () => pool.end(),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/**
 * Refuses a server that is older than what tenantctl is tested on.
 * @throws TenantctlError SERVER_UNSUPPORTED
 */
export function refuseOldServer(server: Pick<Database, 'serverVersion' | 'serverVersionText'>): void {
  if (server.serverVersion >= OLDEST_SERVER) return;
  throw new TenantctlError(
    'SERVER_UNSUPPORTED',
    `The server is PostgreSQL ${server.serverVersionText}; tenantctl needs version 12 or newer.`,
    { hint: 'Upgrade the server: every version before 12 has been out of support since 2023.' },
  );
}

function connectTo(pool: Pool, settings: Omit<ServerSettings, 'kind'>): Promise<PoolClient> {
  return pool.connect().catch((error: unknown) => {
    throw toConnectionError(error, settings);
  });
}

/** A password that is a name as well is no secret, and errors tell names. */
function names({ user, database, host }: Omit<ServerSettings, 'kind'>, secret: string | undefined): boolean {
  return secret !== undefined && [user, database, host].includes(secret);
}

/** On a connection of its own: those of the pool may all be at work. */
async function cancelBackends(pool: Pool, clients: readonly PoolClient[]): Promise<void> {
  // The pool hides the password from whoever copies its options.
  const canceller = new Client({ ...pool.options, password: pool.options.password });
  await canceller.connect();
  try {
    await canceller.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [
      clients.map((client) => (client as PoolClient & { processID: number | null }).processID),
    ]);
  } finally {
    await canceller.end();
  }
}

function cut(client: PoolClient): void {
  (client as PoolClient & { readonly connection: { readonly stream: Socket } }).connection.stream.destroy();
}

async function lookAround(pool: Pool, settings: Omit<ServerSettings, 'kind'>) {
  const client = await connectTo(pool, settings);
  try {
    const { rows } = await client.query<{
      num: number;
      text: string;
      build: string;
      pid: number;
      read_only: boolean;
    }>(`SELECT current_setting('server_version_num')::int AS num, current_setting('server_version') AS text,
               version() AS build, pg_backend_pid() AS pid,
               pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only`);
    const seen = rows[0];
    if (seen === undefined) throw new Error('the server did not say which version it is');
    // pg's own: where none was given, it has been to PGPASSWORD and ~/.pgpass.
    const { password } = client as PoolClient & { readonly password?: unknown };
    return {
      password: typeof password === 'string' ? password : undefined,
      serverVersion: seen.num,
      serverVersionText: seen.text,
      readOnly: seen.read_only,
      // A pooler hands out process ids of its own, so its idea of the backend differs from the backend's.
      behindPooler: (client as PoolClient & { processID: number | null }).processID !== seen.pid,
      build: seen.build,
    };
  } catch (error) {
    throw toDatabaseError(error);
  } finally {
    client.release();
  }
}

import type { ConnectionOptions } from 'node:tls';
import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { Names } from '../names.ts';
import type { Capabilities, ServerFacts } from './capabilities.ts';
import type { ServerSettingValues } from './dead-client.ts';
import type { Purpose } from './places.ts';

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
  /** Where the same database is reached past a connection pooler, for what needs a session; DB_DIRECT_URL. */
  readonly direct?: Omit<Address, 'direct'> | undefined;
}

/** PostgreSQL compiled to WebAssembly, kept in a folder (src/db/embedded/embedded.ts). */
export interface EmbeddedSettings {
  readonly kind: 'embedded';
  /** Absolute path of the folder. */
  readonly directory: string;
  /** Milliseconds to wait while another process uses the folder. */
  readonly lockWaitMs: number;
}

/** Where a server is, without the kind of the settings. */
export type Address = Omit<ServerSettings, 'kind'>;

export type DatabaseSettings = ServerSettings | EmbeddedSettings;

export interface PoolOptions {
  /**
   * The most connections at a time, at least 1. A run needs 2: one shows others that it is at work. A migration that
   * runs outside a transaction needs 3. `direct` opens up to 4 more.
   */
  readonly maxConnections: number;
  /** What the database calls the registry and the history tables; DEFAULT_NAMES where absent. */
  readonly names?: Names | undefined;
  /** Milliseconds to wait for a connection while all are in use, or for a call's turn; 60,000 where absent. */
  readonly waitTimeoutMs?: number | undefined;
}

/** The connections to one server: never more than maxConnections, given out in the order of the requests. */
export interface Connections {
  /** The most connections at a time. */
  readonly max: number;
  /** How many tasks that hold a connection each can run in parallel. */
  readonly width: number;
  /** How many connections are open. */
  opened(): number;
  /**
   * Takes a connection. Prefer withClient, which gives it back.
   * @throws TenantctlError POOL_EXHAUSTED, DATABASE_CLOSED, CONCURRENCY_TOO_HIGH if maxConnections can never suffice;
   *   CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED
   */
  connect(purpose: Purpose): Promise<PoolClient>;
  /**
   * Gives a connection back. It is closed if it broke, and after many tenants: a backend keeps in memory what it knows
   * of each table that it has opened.
   * @param tenants how many tenants it has served since it was taken
   */
  giveBack(client: PoolClient, isBroken: boolean, tenants: number): void;
  /** Waits for its turn among the calls of this process, and runs `call`. @throws TenantctlError POOL_EXHAUSTED */
  inTurn<T>(call: () => Promise<T>): Promise<T>;
  /** Opens up to so many connections before they are needed. */
  warm(connections: number): Promise<void>;
  /** From now on, idle connections are closed after so many milliseconds. */
  closeIdleAfter(ms: number): void;
  /** Cancels what is at work; a connection that is still in use a second later is cut. */
  cancel(): Promise<void>;
  /** Cancels what one connection is at work on, and cuts it. */
  stop(client: PoolClient): Promise<void>;
  /** Closes every connection; what is at work is cancelled. An embedded server cannot cancel: its work is waited for. */
  end(): Promise<void>;
}

/** The lock that shows others that calls of this process are at work; all calls of a database share it. */
export interface Lease {
  /** Takes part in the lease, which is taken now if nobody has. */
  take(): LeaseShare;
}

/** One call's part in the lease. The lock is held until the last one is released. */
export interface LeaseShare {
  /** Names the lock: see lockOfLease. A lease that has ended and is taken again has another name. */
  readonly id: string;
  /**
   * Resolves after the first attempt to take the lock; if it failed, others follow in the background. Rejects with
   * CONCURRENCY_TOO_HIGH if the pool is too small, and DATABASE_CLOSED.
   */
  readonly tried: Promise<void>;
  release(): Promise<void>;
}

/** An open database: a pool of connections, and what was learned when the first was opened. */
export interface Database
  extends
    Omit<Connections, 'cancel' | 'end'>,
    Capabilities,
    Pick<ServerFacts, 'serverVersionText' | 'readOnly' | 'behindPooler'> {
  /** What it calls the registry and the history tables. */
  readonly names: Names;
  /**
   * Sends one query on any connection of the pool.
   * @throws TenantctlError DATABASE_ERROR with the SQLSTATE, or as connect does
   */
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
  /** Shows others that calls are at work. Prefer takeLease, which also checks a pooler. */
  readonly lease: Lease;
  /** Runs one `work` at a time. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Milliseconds to wait for a connect; 0 for ever. */
  readonly connectTimeoutMs: number;
  /** The server's major version, e.g. 15. */
  readonly serverMajor: number;
  /**
   * The same database by connections that are sessions: this one, or one by way of `direct`, which is opened and checked
   * at the first call, and closed with this one.
   * @throws TenantctlError POOLER_UNSUPPORTED if there is none; DIRECT_URL_MISMATCH; as openServer does
   */
  sessions(): Promise<Database>;
  /** The settings that make this server notice within a minute that a client is gone. */
  readonly deadClientSettings: ServerSettingValues;
  /** Cancels what is at work: it ends with an error, and is rolled back. */
  cancelWork(): Promise<void>;
  /** A text without this connection's password, and without what looks like one. */
  readonly conceal: (text: string) => string;
  /** cancelWork or close has been called. */
  readonly isCancelled: boolean;
  /** @throws TenantctlError DATABASE_CLOSED after close() @param cause what went wrong because of it */
  assertOpen(cause?: unknown): void;
  /**
   * Closes every connection, the lease's included. What is at work is cancelled and rolled back, and its call ends with
   * DATABASE_CLOSED. A second call waits for the first.
   */
  close(): Promise<void>;
}

/** The name of tenantctl's connections in pg_stat_activity. */
export const APPLICATION_NAME = 'tenantctl';

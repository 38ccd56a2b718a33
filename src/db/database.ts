import type { ConnectionOptions } from 'node:tls';
import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { Names } from '../names.ts';
import type { Capabilities, ServerFacts } from './capabilities.ts';
import type { ServerSettingValues } from './dead-client.ts';
import type { Purpose } from './connection-queue.ts';

/** Where a PostgreSQL server is and how to log in. */
export interface ServerSettings {
  readonly kind: 'server';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A function is called for each new connection: for passwords that expire. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  readonly database: string;
  /** As in Node's tls.connect; false for a plain connection. */
  readonly ssl: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'> | false;
  /** Milliseconds. */
  readonly connectTimeoutMs: number;
  /** The variable that holds the address as a URL: hints name it instead of DB_HOST and the others. */
  readonly source?: 'DATABASE_URL' | 'DB_DIRECT_URL' | undefined;
  /** Reaches the same database past a pooler, for what needs a session; DB_DIRECT_URL. */
  readonly direct?: Omit<Address, 'direct'> | undefined;
}

/** PostgreSQL compiled to WebAssembly (src/db/embedded/embedded.ts). */
export interface EmbeddedSettings {
  readonly kind: 'embedded';
  /** Where its files are. In memory if absent: then the database is lost when it is closed. */
  readonly directory?: string | undefined;
  /** Milliseconds to wait if another process uses the folder. */
  readonly lockWaitMs: number;
}

export type Address = Omit<ServerSettings, 'kind'>;

export type DatabaseSettings = ServerSettings | EmbeddedSettings;

export interface PoolOptions {
  /** Pool size, at least 1. A run needs 2, a migration outside a transaction 3. `direct` adds up to 4. */
  readonly maxConnections: number;
  /** DEFAULT_NAMES if absent. */
  readonly names?: Names | undefined;
  /**
   * Milliseconds to wait for a free connection or a call's turn; default 60,000. For a connection that the
   * application itself has in use, a call waits connectTimeoutMs.
   */
  readonly waitTimeoutMs?: number | undefined;
}

/** What the server says beside its answers (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
export interface ServerNotice {
  readonly severity?: string | undefined;
  readonly message?: string | undefined;
}

/** The connection pool of a server; serves requests in order. */
export interface Connections {
  /**
   * pg's pool, for the application's own queries. What it has in use counts among maxConnections and is not
   * there for tenantctl; give it back before close().
   */
  readonly pool: Pool;
  readonly max: number;
  /** How many tasks that each hold a connection can run in parallel. */
  readonly width: number;
  opened(): number;
  /** Sets how many connections may be in use from now on, at most `max`: the server may have fewer free. */
  limitTo(connections: number): void;
  /**
   * Takes a connection. Prefer withClient, which gives it back.
   * @throws TenantctlError POOL_EXHAUSTED, DATABASE_CLOSED, CONCURRENCY_TOO_HIGH if maxConnections can never
   *   suffice; CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED
   */
  connect(purpose: Purpose): Promise<PoolClient>;
  /**
   * Gives a connection back. It is closed if broken, and after many tenants: a backend caches each table it
   * has opened.
   * @param tenants how many tenants it has served since it was taken
   */
  giveBack(client: PoolClient, isBroken: boolean, tenants: number): void;
  /** Runs `call` when its turn comes among this process's calls. @throws TenantctlError POOL_EXHAUSTED */
  inTurn<T>(call: () => Promise<T>): Promise<T>;
  /** Opens up to this many connections ahead of need, and sends each of them this text, which ends its transaction. */
  warm(connections: number, text: string): Promise<void>;
  closeIdleAfter(ms: number): void;
  /** Cancels running work; connections still in use after a second are cut. */
  cancel(): Promise<void>;
  /** Cancels one connection's work and cuts it. */
  stop(client: PoolClient): Promise<void>;
  /** Cancels running work and closes every connection. Embedded work cannot be cancelled: it is awaited. */
  end(): Promise<void>;
}

/** An advisory lock that shows other processes that this one is at work. All calls of a database share it. */
export interface Lease {
  take(): LeaseShare;
}

/** One call's share. The lock is held until the last share is released. */
export interface LeaseShare {
  /** Names the lock: see lockOfLease. It changes each time the lease is taken. */
  readonly id: string;
  /**
   * Resolves after the first attempt to take the lock; further attempts run in the background. Rejects with
   * CONCURRENCY_TOO_HIGH if the pool is too small, and DATABASE_CLOSED.
   */
  readonly tried: Promise<void>;
  release(): Promise<void>;
}

/**
 * Reads several things at once: the queries that `read` makes at the same time share a transaction and a round
 * trip, and run in the order in which they were made. None may wait for what another one's caller does. If one fails,
 * each is run again in a transaction of its own.
 * @param read begins the reading, with a database that collects the queries
 * @returns what the promises of the list resolve to
 * @throws the reason of the first one in the list that was rejected, when all are settled
 */
export type Together = <const Read extends readonly unknown[]>(
  read: (database: Database) => Read,
) => Promise<{ -readonly [At in keyof Read]: Awaited<Read[At]> }>;

/** An open database: a connection pool, and what was learned from the first connection. */
export interface Database
  extends
    Omit<Connections, 'cancel' | 'end'>,
    Capabilities,
    Pick<ServerFacts, 'serverVersionText' | 'readOnly' | 'behindPooler'> {
  readonly names: Names;
  /**
   * Runs one statement in a transaction with tenantctl's settings (ISO dates, for example).
   * @throws TenantctlError DATABASE_ERROR with the SQLSTATE; as connect does
   */
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
  readonly together: Together;
  /** What `make` returned at the first call with it, for as long as the database is open. */
  readonly remember: <T extends object>(make: () => T) => T;
  /** Prefer takeLease, which also checks a pooler. */
  readonly lease: Lease;
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Milliseconds; 0 for no limit. */
  readonly connectTimeoutMs: number;
  /** The variable that holds the address as a URL: hints name it instead of DB_HOST and the others. */
  readonly source?: 'DATABASE_URL' | 'DB_DIRECT_URL' | undefined;
  readonly serverMajor: number;
  /**
   * The same database over connections with sessions: this one, or `direct`, opened and checked at the first
   * call and closed with this one.
   * @throws TenantctlError POOLER_UNSUPPORTED if there is none; DIRECT_URL_MISMATCH; as openServer does
   */
  sessions(): Promise<Database>;
  /** The settings that make this server notice a lost client within a minute. */
  readonly deadClientSettings: ServerSettingValues;
  /** Cancels running work, which fails and is rolled back. */
  cancelWork(): Promise<void>;
  /** Masks this connection's password and anything that looks like a secret. */
  readonly conceal: (text: string) => string;
  readonly isCancelled: boolean;
  /** @throws TenantctlError DATABASE_CLOSED after close() @param cause the error that resulted */
  assertOpen(cause?: unknown): void;
  /**
   * Closes every connection, including the lease's. Running work is cancelled and rolled back; its calls fail
   * with DATABASE_CLOSED. A second call waits for the first.
   */
  close(): Promise<void>;
}

export const APPLICATION_NAME = 'tenantctl';

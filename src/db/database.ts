import type { ConnectionOptions } from 'node:tls';
import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { Names } from '../names.ts';
import type { ServerSettingValues } from './dead-client.ts';

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
  readonly direct?: Omit<ServerSettings, 'kind' | 'direct'> | undefined;
}

/** PostgreSQL compiled to WebAssembly, kept in a folder (src/db/embedded/embedded.ts). */
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
  /** What the database calls the registry and the history tables; DEFAULT_NAMES where absent. */
  readonly names?: Names | undefined;
}

/** An open database: a pool of connections and what was learned when the first was opened. */
export interface Database {
  readonly pool: Pool;
  /** What it calls the registry and the history tables. */
  readonly names: Names;
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
  /**
   * A pooler such as PgBouncer answers in the server's place: nothing that belongs to a session can be relied on. One in
   * session mode cannot be told from the others, and counts as one.
   */
  readonly behindPooler: boolean;
  /** What `sessions` returns is to be had: there is no pooler, or a way past it. */
  readonly hasSessions: boolean;
  /**
   * The same database by connections that are sessions: this one, or one by way of `direct`, which is opened and checked
   * when it is first asked for, and closed with this one.
   * @throws TenantctlError POOLER_UNSUPPORTED where there is none; DIRECT_URL_MISMATCH; as openServer does
   */
  sessions(): Promise<Database>;
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

/** By which tenantctl's connections are known in pg_stat_activity. */
export const APPLICATION_NAME = 'tenantctl';

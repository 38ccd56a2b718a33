/** What is known of a server, and of the way to it. */
export interface ServerFacts {
  /** As in server_version_num. */
  readonly serverVersion: number;
  /** The server's own name for its version, e.g. "15.18 (Debian 15.18-0+deb12u1)". */
  readonly serverVersionText: string;
  /** As in version(), which names the system that the server was built for. */
  readonly build: string;
  /** The server is a standby, or default_transaction_read_only is on. */
  readonly readOnly: boolean;
  /**
   * A pooler such as PgBouncer answers in the server's place: nothing that belongs to a session is reliable. Session mode
   * cannot be detected, and is treated as transaction mode.
   */
  readonly behindPooler: boolean;
  /** All connections share one session (PGlite), and the socket is not the server's own. */
  readonly sharedSession: boolean;
}

/** What a server, and the way to it, can do. Decided here, and asked by name everywhere else. */
export interface Capabilities {
  /** Each connection has a session of its own. In the embedded database (PGlite) all of them share one. */
  readonly hasParallelSessions: boolean;
  /** True if `Database.sessions` can succeed: there is no pooler, or a direct URL is set. */
  readonly hasSessions: boolean;
  /** A second connection is available beside one that holds a lock, for a migration outside a transaction. */
  readonly hasRoomAside: boolean;
  /** Whole transactions can be sent as strings, the next before the last one is answered. */
  readonly acceptsScripts: boolean;
  /** What is at work can be cancelled from another connection. */
  readonly canCancel: boolean;
  /** pg_stat_activity shows which connections are free. A pooler has a number of its own. */
  readonly showsFreeConnections: boolean;
  /** A statement may wait in a pooler's queue before the server gets it. */
  readonly mayQueueStatements: boolean;
  /** transaction_timeout exists: PostgreSQL 17 (https://www.postgresql.org/docs/17/release-17.html). */
  readonly hasTransactionTimeout: boolean;
  /** A membership has the options INHERIT and SET: PostgreSQL 16 (https://www.postgresql.org/docs/16/sql-grant.html). */
  readonly hasMembershipOptions: boolean;
}

/** Decides what can be done. Pure. @param isLargeEnough the pool has a second connection beside a lock's */
export function capabilitiesOf(
  { serverVersion, behindPooler, sharedSession }: ServerFacts,
  hasDirectUrl: boolean,
  isLargeEnough: boolean,
): Capabilities {
  return {
    hasParallelSessions: !sharedSession,
    hasSessions: hasDirectUrl || !behindPooler,
    hasRoomAside: sharedSession || hasDirectUrl || isLargeEnough,
    acceptsScripts: !sharedSession,
    canCancel: !sharedSession,
    showsFreeConnections: !behindPooler,
    mayQueueStatements: behindPooler,
    hasTransactionTimeout: serverVersion >= 170_000,
    hasMembershipOptions: serverVersion >= 160_000,
  };
}

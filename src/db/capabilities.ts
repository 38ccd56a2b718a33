import { STAYING_HERE } from './citus.ts';

/** What is known about a server and the route to it. */
export interface ServerFacts {
  /** As in server_version_num. */
  readonly serverVersion: number;
  /** The server's own name for its version, e.g. "15.18 (Debian 15.18-0+deb12u1)". */
  readonly serverVersionText: string;
  /** As in version(): names the platform of the build. */
  readonly build: string;
  /** The server is a standby, or default_transaction_read_only is on. */
  readonly readOnly: boolean;
  /** Session state is unreliable. Session mode is undetectable and treated as transaction mode. */
  readonly behindPooler: boolean;
  /** All connections share one session (PGlite) over a socket that is not the server's own. */
  readonly sharedSession: boolean;
  /** New schemas are put on one node of a Citus cluster each (citus.enable_schema_based_sharding). */
  readonly spreadsSchemas: boolean;
}

/** What a server, and the route to it, can do. Decided here; all other code asks by name. */
export interface Capabilities {
  readonly hasParallelSessions: boolean;
  /** True if `Database.sessions` can succeed: there is no pooler, or a direct URL is set. */
  readonly hasSessions: boolean;
  /** While one connection holds a lock, a second is available for a migration outside a transaction. */
  readonly hasRoomAside: boolean;
  /** Whole transactions can be sent as strings, each before the previous one is answered. */
  readonly acceptsScripts: boolean;
  /** COPY … FROM STDIN. PGlite ends the session at it. */
  readonly acceptsCopy: boolean;
  readonly canCancel: boolean;
  /** pg_stat_activity shows which connections are free. A pooler has its own limit. */
  readonly showsFreeConnections: boolean;
  /** A statement may wait in a pooler's queue before the server gets it. */
  readonly mayQueueStatements: boolean;
  /** transaction_timeout exists: PostgreSQL 17 (https://www.postgresql.org/docs/17/release-17.html). */
  readonly hasTransactionTimeout: boolean;
  /** A membership has the options INHERIT and SET: PostgreSQL 16 (https://www.postgresql.org/docs/16/sql-grant.html). */
  readonly hasMembershipOptions: boolean;
  /** A schema and its tables can be created in one transaction. */
  readonly createsSchemasWithTables: boolean;
  /** A string of several statements may contain any, but for those that need a string of their own on every server. */
  readonly acceptsAnyInStrings: boolean;
  /** Statements within which a transaction creates what is to stay on this server; none if everything does. */
  readonly stayingHere: { readonly begin: readonly string[]; readonly end: readonly string[] };
  /** A trigger on a tenant's history can tell that it changed, so a stamp can be trusted. */
  readonly keepsStamps: boolean;
  /** Other nodes work for a transaction. They know its lock_timeout only if it is sent to them. */
  readonly hasNodes: boolean;
}

const NOTHING = { begin: [], end: [] };

/** Derives the capabilities. Pure. @param isLargeEnough the pool has a second connection besides a lock's */
export function capabilitiesOf(
  { serverVersion, behindPooler, sharedSession, spreadsSchemas }: ServerFacts,
  hasDirectUrl: boolean,
  isLargeEnough: boolean,
): Capabilities {
  return {
    hasParallelSessions: !sharedSession,
    hasSessions: hasDirectUrl || !behindPooler,
    hasRoomAside: sharedSession || hasDirectUrl || isLargeEnough,
    acceptsScripts: !sharedSession,
    acceptsCopy: !sharedSession,
    canCancel: !sharedSession,
    showsFreeConnections: !behindPooler,
    mayQueueStatements: behindPooler,
    hasTransactionTimeout: serverVersion >= 170_000,
    hasMembershipOptions: serverVersion >= 160_000,
    createsSchemasWithTables: !spreadsSchemas,
    acceptsAnyInStrings: !spreadsSchemas,
    stayingHere: spreadsSchemas ? STAYING_HERE : NOTHING,
    keepsStamps: !spreadsSchemas,
    hasNodes: spreadsSchemas,
  };
}

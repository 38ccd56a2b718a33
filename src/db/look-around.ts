import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError, type PoolClient } from 'pg';
import { TenantctlError } from '../errors.ts';
import { toDatabaseError } from './database-error.ts';
import { passwordOf, processIdOf } from './pg-internals.ts';
import type { ServerFacts } from './capabilities.ts';
import { SPREADS_SCHEMAS } from './citus.ts';
import type { Database, ServerSettings } from './database.ts';

/** Identifies the server and database behind a connection. */
export interface Place {
  /** Server start time in microseconds since 1970: unique to a server. */
  readonly started: string;
  readonly oid: string;
  readonly name: string;
  readonly role: string;
}

/** What was found at the other end of a connection. */
export interface Surroundings extends ServerFacts, Place {
  /** The password in use, wherever the driver found it. */
  readonly password: string | undefined;
}

const PLACE = `(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
  (SELECT d.oid::text FROM pg_database d WHERE d.datname = current_database()) AS oid,
  current_database()::text AS name, current_user::text AS role`;

const LOOK = `SELECT current_setting('server_version_num')::int AS "serverVersion",
  current_setting('server_version') AS "serverVersionText", version() AS build, pg_backend_pid() AS pid,
  pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS "readOnly", ${SPREADS_SCHEMAS} AS "spreadsSchemas", ${PLACE}`;

/**
 * Examines the first connection's server.
 * @throws TenantctlError CONNECTION_FAILED if nothing answers in time, POOLER_UNSUPPORTED, DATABASE_ERROR
 */
export async function lookAround(
  client: PoolClient,
  server: Pick<ServerSettings, 'host' | 'port' | 'connectTimeoutMs'>,
  sharedSession: boolean,
): Promise<Surroundings> {
  try {
    const looked = client.query<Surroundings & { readonly pid: number }>(LOOK);
    const [seen] = (await withinTime(looked, server)).rows;
    if (seen === undefined) throw new Error('the server did not say which version it is');
    // A pooler assigns its own process ids, so they differ from the backend's.
    const behindPooler = !sharedSession && processIdOf(client) !== seen.pid;
    if (behindPooler) await refuseStatementMode(client);
    return { ...seen, behindPooler, sharedSession, password: passwordOf(client) };
  } catch (error) {
    throw toDatabaseError(error);
  }
}

export async function readPlace(database: Pick<Database, 'query'>): Promise<Place> {
  const { rows } = await database.query<Place>(`SELECT ${PLACE}`);
  return rows[0] as Place;
}

/** A pooler accepts every client but answers only when it has a server connection to spare. */
async function withinTime<T>(
  answer: Promise<T>,
  { host, port, connectTimeoutMs }: Parameters<typeof lookAround>[1],
): Promise<T> {
  if (connectTimeoutMs === 0) return answer;
  answer.catch(() => {});
  const first = await Promise.race([answer, sleep(connectTimeoutMs, 'late' as const, { ref: false })]);
  if (first !== 'late') return first;
  throw new TenantctlError(
    'CONNECTION_FAILED',
    `${host}:${port} accepted the connection, and has not answered within ${Math.ceil(connectTimeoutMs / 1000)} s.`,
    {
      hint: 'If a connection pooler is in between, all its connections to the server may be in use: allow more (default_pool_size in PgBouncer), try again later, or allow more time with CONNECT_TIMEOUT_MS.',
    },
  );
}

/**
 * Refuses a pooler in statement mode. PgBouncer then accepts a transaction only as one string, and closes the
 * connection otherwise (https://www.pgbouncer.org/config.html: pool_mode).
 */
async function refuseStatementMode(client: PoolClient): Promise<void> {
  try {
    await client.query('BEGIN');
    await client.query('ROLLBACK');
  } catch (error) {
    // protocol_violation: PgBouncer uses no other code.
    if (!(error instanceof DatabaseError) || error.code !== '08P01') throw error;
    throw new TenantctlError(
      'POOLER_UNSUPPORTED',
      `The connection pooler in between allows no transactions: ${error.message}.`,
      {
        sqlstate: error.code,
        hint: 'Set pool_mode = transaction for this database in the pooler, or connect to PostgreSQL itself.',
        cause: error,
      },
    );
  }
}

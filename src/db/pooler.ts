import { DatabaseError, type PoolClient } from 'pg';
import { TenantctlError } from '../errors.ts';

/** What to do where something needs a session, and a pooler is in between. */
export const DIRECT_URL_REMEDY =
  'Set DB_DIRECT_URL to PostgreSQL itself, past the pooler (postgres://user:password@host:port/database): it is used for what needs a session.';

/**
 * Refuses a pooler that hands its connections on after each statement: PgBouncer lets a transaction pass there that is
 * one string, and ends the connection at any other (https://www.pgbouncer.org/config.html: pool_mode).
 * @throws TenantctlError POOLER_UNSUPPORTED
 */
export async function refuseStatementMode(client: PoolClient): Promise<void> {
  try {
    await client.query('BEGIN');
  } catch (error) {
    // protocol_violation, which is all that PgBouncer ever says.
    if (!(error instanceof DatabaseError) || error.code !== '08P01') throw error;
    throw new TenantctlError(
      'POOLER_UNSUPPORTED',
      `The connection pooler in between allows no transactions: ${error.message}.`,
      {
        sqlstate: error.code,
        hint: 'Set pool_mode = transaction for this database in the pooler, or connect to PostgreSQL itself (DB_HOST and DB_PORT, or DATABASE_URL).',
        cause: error,
      },
    );
  }
  await client.query('ROLLBACK');
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResultRow } from 'pg';
import { TenantctlError } from '../../errors.ts';
import { ownQuery } from '../../db/own-query.ts';
import { withClient } from '../../db/transaction.ts';
import type { RunContext } from '../run/run-context.ts';

/** Milliseconds to wait for a second connection while a tenant's transaction is open. */
const PATIENCE_MS = 5_000;

/**
 * Reads something as other sessions see it, while a tenant's transaction is open. That transaction may hold any
 * lock, so the query must read only catalogs; locks on catalogs are waited for as long as `lockTimeoutMs`.
 * @throws TenantctlError POOLER_EXHAUSTED with 53300 (transient); POOL_EXHAUSTED
 */
export async function readAside<Row extends QueryResultRow>(
  { database, lockTimeoutMs }: Pick<RunContext, 'database' | 'lockTimeoutMs'>,
  query: string,
): Promise<Row[]> {
  // A connection that bypasses the pooler does not wait in its queue.
  const beside = database.hasSessions ? await database.sessions() : database;
  const look = async (client: PoolClient): Promise<Row[]> => {
    const answer = ownQuery<Row>(client, beside, { lockTimeoutMs }, query).then(({ rows }) => rows);
    if (!beside.mayQueueStatements) return answer;
    const first = await Promise.race([answer, sleep(PATIENCE_MS, 'late' as const, { ref: false })]);
    if (first !== 'late') return first;
    answer.catch(() => {});
    await beside.stop(client);
    throw new TenantctlError(
      'POOLER_EXHAUSTED',
      `The connection pooler had no second connection to the server within ${PATIENCE_MS / 1000} s.`,
      {
        sqlstate: '53300',
        hint: 'The guard compares what a tenant changed with what other sessions see. Allow more connections in the pooler (default_pool_size in PgBouncer), or set DB_DIRECT_URL.',
      },
    );
  };
  return withClient(beside, look, { purpose: 'aside' });
}

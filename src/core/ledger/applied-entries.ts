import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { withTransaction } from '../../db/transaction.ts';
import { changesIn, underNames } from '../state/memory.ts';

/**
 * Queries what runs have applied to tenants: `applied` (run, tenant, organization, schema, is_gone, names, batch,
 * ended_at), under the tenants' current names.
 * @param query may continue the WITH clause
 */
export function queryApplied<Row extends QueryResultRow>(
  database: Database,
  stateVersion: number,
  query: string,
  values: readonly unknown[],
): Promise<Row[]> {
  // The planner expects a handful of entries: a nested loop would compare each tenant with each entry.
  const prelude = ['SET LOCAL enable_nestloop = off', 'SET LOCAL jit = off'];
  return withTransaction(database, {}, prelude, async ({ client }) => {
    const { rows } = await client.query<Row>(
      `WITH changes AS MATERIALIZED (${changesIn(stateVersion)}),
       applied AS NOT MATERIALIZED (
         SELECT run, tenant, coalesce(organization, clerk_org_id) AS organization,
                coalesce(schema, schema_name) AS schema, is_gone, names, batch, ended_at
         FROM ${underNames('run_tenants', stateVersion)}
         WHERE direction = 'up' AND outcome = 'migrated')
       ${query}`,
      [...values],
    );
    return rows;
  });
}

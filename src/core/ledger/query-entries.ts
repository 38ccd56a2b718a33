import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { withTransaction } from '../../db/transaction.ts';
import { changesIn, underNames } from '../state/memory.ts';

/**
 * Queries what runs did to tenants: `entries`, the columns of tenantctl.run_tenants with `organization` and
 * `schema`, the tenants' current names. `is_gone`: the tenant has left the registry.
 * @param query may continue the WITH clause
 */
export function queryEntries<Row extends QueryResultRow>(
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
       entries AS NOT MATERIALIZED (
         SELECT run, tenant, coalesce(organization, clerk_org_id) AS organization,
                coalesce(schema, schema_name) AS schema, is_gone, outcome, direction, names, batch, duration_ms,
                error, ended_at
         FROM ${underNames('run_tenants', stateVersion)})
       ${query}`,
      [...values],
    );
    return rows;
  });
}

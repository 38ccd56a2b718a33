import { IS_ON_NODE } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';

/**
 * SQL: how many rows the table `c` of pg_class in the schema `n` of pg_namespace has, about; null if its rows are on a
 * node. ANALYZE has counted some; the statistics of a table that was never analyzed know what was written to it:
 * https://www.postgresql.org/docs/current/monitoring-stats.html
 */
export function estimatedRows({ hasNodes }: Pick<Database, 'hasNodes'>): string {
  const here = 'greatest(c.reltuples::float8, pg_stat_get_live_tuples(c.oid)::float8, 0)';
  return hasNodes ? `CASE WHEN NOT ${IS_ON_NODE} THEN ${here} END` : here;
}

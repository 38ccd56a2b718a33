import type { Database } from '../../db/database.ts';
import { readStateVersion } from '../state/version.ts';
import { queryEntries } from './query-entries.ts';

/** The run in which a tenant took longest. */
export interface LongestWork {
  readonly run: number;
  readonly durationMs: number;
}

/** Of the tenants that these runs worked on, by current schema name; in one query. */
export async function readLongestWork(
  database: Database,
  runs: readonly number[],
): Promise<ReadonlyMap<string, LongestWork>> {
  if (runs.length === 0) return new Map();
  const rows = await queryEntries<{ schema: string; run: string; durationMs: number }>(
    database,
    await readStateVersion(database),
    `, work AS (
       -- The duration of a failure covers all work on the tenant.
       SELECT schema, run, greatest(sum(duration_ms) FILTER (WHERE outcome <> 'failed'),
                                    max(duration_ms) FILTER (WHERE outcome = 'failed'))::int AS ms
       FROM entries WHERE run = ANY ($1::bigint[]) AND NOT is_gone GROUP BY schema, run)
     SELECT DISTINCT ON (schema) schema, run, ms AS "durationMs" FROM work ORDER BY schema, ms DESC, run DESC`,
    [runs],
  );
  return new Map(rows.map(({ schema, run, durationMs }) => [schema, { run: Number(run), durationMs }]));
}

import type { Database } from '../../db/database.ts';
import { queryEntries } from './query-entries.ts';
import { isScriptNameSql } from '../files/script-name.ts';
import { checkCall } from '../options/check-call.ts';
import { readStateVersion, RUNS_SINCE } from '../state/version.ts';

/** What later became of the migrations that a run has applied. */
export interface Undone {
  /** The runs that undid them, in order; a run can undo its own. */
  readonly by: readonly number[];
  /** Nothing of the run is left. Tenants that have left the registry do not count. */
  readonly wholly: boolean;
}

/** Undefined if nothing of the run was undone. @param run its number */
export async function readUndone(database: Database, run: number): Promise<Undone | undefined> {
  checkCall(database, { runNumber: run }, 'runNumber');
  const stateVersion = await readStateVersion(database);
  if (stateVersion < RUNS_SINCE) return undefined;
  const [found] = await queryEntries<{ by: number[] | null; wholly: boolean }>(
    database,
    stateVersion,
    `, changed AS NOT MATERIALIZED (
       SELECT run, schema, direction, name, ended_at
       FROM entries, unnest(names) AS name WHERE run >= $1 AND NOT is_gone AND NOT ${isScriptNameSql('name')}),
     own AS (
       SELECT schema, name, max(ended_at) AS ended_at FROM changed WHERE run = $1 AND direction = 'up' GROUP BY 1, 2),
     undone AS (
       SELECT own.schema, own.name, min(c.run) AS by
       FROM own LEFT JOIN changed c
         ON c.schema = own.schema AND c.name = own.name AND c.direction = 'down' AND c.ended_at > own.ended_at
       GROUP BY 1, 2)
     SELECT array_agg(DISTINCT by::float8 ORDER BY by::float8) FILTER (WHERE by IS NOT NULL) AS by,
            bool_and(by IS NOT NULL) AS wholly
     FROM undone`,
    [run],
  );
  return found?.by ? { by: found.by, wholly: found.wholly } : undefined;
}

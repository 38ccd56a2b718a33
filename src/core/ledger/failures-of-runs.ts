import type { Database } from '../../db/database.ts';
import type { ErrorReport } from '../../errors.ts';
import { recordedError } from '../state/failures.ts';
import { readStateVersion } from '../state/version.ts';
import { queryEntries } from './query-entries.ts';

/** A tenant that failed in a run, under its current names. */
export interface RunFailure {
  readonly run: number;
  /** Null for the master schema. */
  readonly clerkOrgId: string | null;
  readonly schema: string;
  readonly error: ErrorReport;
}

/** Failures that are read; the newest runs come first. */
const MOST_FAILURES = 20_000;

/** The last failure of each tenant in each of these runs, in one query. */
export async function readFailuresOfRuns(database: Database, runs: readonly number[]): Promise<RunFailure[]> {
  if (runs.length === 0) return [];
  const rows = await queryEntries<Omit<RunFailure, 'run'> & { readonly run: string }>(
    database,
    await readStateVersion(database),
    `SELECT DISTINCT ON (run, organization, schema)
       run, organization AS "clerkOrgId", schema, ${recordedError('error')} AS error
     FROM entries WHERE run = ANY ($1::bigint[]) AND outcome = 'failed' AND error IS NOT NULL
     ORDER BY run DESC, organization, schema, ended_at DESC LIMIT ${MOST_FAILURES}`,
    [runs],
  );
  return rows.map((row) => ({ ...row, run: Number(row.run) }));
}

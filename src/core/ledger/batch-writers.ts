import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import type { BatchWriter } from '../plan/latest-deploy.ts';
import { RUNS_SINCE } from '../state/version.ts';
import { queryEntries } from './query-entries.ts';

interface Batch {
  readonly schema: string;
  readonly batch: number;
  readonly names: readonly string[];
}

interface EntryRow extends QueryResultRow {
  readonly schema: string;
  readonly names: readonly string[];
  readonly run: string;
  readonly isMigration: boolean;
}

/** Who wrote each of these batches, one of each schema, in one query. @returns by schema */
export async function readBatchWriters(
  database: Database,
  stateVersion: number,
  batches: readonly Batch[],
): Promise<ReadonlyMap<string, BatchWriter>> {
  if (stateVersion < RUNS_SINCE || batches.length === 0) return new Map();
  const rows = await queryEntries<EntryRow>(
    database,
    stateVersion,
    `SELECT a.schema, a.names, a.run, r.command = 'migrate tenants' AS "isMigration"
     FROM unnest($1::text[], $2::int[]) AS last (schema, batch)
     JOIN (SELECT * FROM entries WHERE outcome = 'migrated' AND NOT is_gone OFFSET 0) a USING (schema, batch) -- OFFSET 0: names first
     JOIN tenantctl.runs r ON r.id = a.run
     ORDER BY a.ended_at`,
    [batches.map(({ schema }) => schema), batches.map(({ batch }) => batch)],
  );
  const bySchema = Map.groupBy(rows, ({ schema }) => schema);
  return new Map(batches.map((batch) => [batch.schema, writerOf(batch, bySchema.get(batch.schema) ?? [])]));
}

/** The last run to write each migration counts: the same batch may have been undone and written again. Pure. */
function writerOf({ names }: Batch, entries: readonly EntryRow[]): BatchWriter {
  const last = new Map(entries.flatMap((entry) => entry.names.map((name) => [name, entry] as const)));
  const writers = names.flatMap((name) => last.get(name) ?? []);
  if (writers.length === 0) return undefined;
  if (writers.some(({ isMigration }) => !isMigration)) return 'provisioning';
  return { run: Math.max(...writers.map(({ run }) => Number(run))) };
}

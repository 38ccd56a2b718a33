import type { QueryResultRow } from 'pg';
import { TenantctlError } from '../../errors.ts';
import type { BackwardExtent } from '../plan/plan.ts';
import { queryApplied } from './applied-entries.ts';
import { readRun } from './read-runs.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

interface UndoOfRun {
  /** By schema. Equal extents are one object. */
  readonly extents: ReadonlyMap<string, BackwardExtent>;
  /** The number of the run's tenants that have left the registry. */
  readonly gone: number;
}

interface EntryRow extends QueryResultRow {
  readonly run: string;
  readonly schema: string;
  readonly isGone: boolean;
  readonly names: readonly string[];
  readonly batch: number;
}

/**
 * What a run of `migrate tenants` applied, unless a later run applied it again.
 * @param isOwn the run itself asks, and so may still be active
 * @throws TenantctlError RUN_UNKNOWN, RUN_IRREVERSIBLE, RUN_AT_WORK
 */
export async function readUndoOfRun(database: Database, run: number, isOwn: boolean): Promise<UndoOfRun> {
  const { command, outcome } = await readRun(database, run);
  assertUndoable(run, command, outcome === 'at-work' && !isOwn);
  const rows = await queryApplied<EntryRow>(
    database,
    await readStateVersion(database),
    `, own AS (
       SELECT schema, is_gone, min(ended_at) AS ended_at FROM applied WHERE run = $1 GROUP BY 1, 2)
     SELECT t.run, t.schema, t.is_gone AS "isGone", t.names, t.batch
     FROM own JOIN applied t USING (schema, is_gone)
     WHERE t.run = $1 OR t.ended_at > own.ended_at
     ORDER BY t.ended_at`,
    [run],
  );
  const gone = rows.filter(({ isGone }) => isGone).map(({ schema }) => schema);
  const present = rows.filter(({ isGone }) => !isGone);
  return { extents: toExtents(run, present), gone: new Set(gone).size };
}

/** Finds the last run to apply each migration, for each tenant. Pure. */
function toExtents(run: number, entries: readonly EntryRow[]): UndoOfRun['extents'] {
  const known = new Map<string, BackwardExtent>();
  const extents = new Map<string, BackwardExtent>();
  for (const [schema, applied] of Map.groupBy(entries, (entry) => entry.schema)) {
    const appliers = new Map(
      applied.flatMap(({ run: applier, names, batch }) =>
        names.map((name) => [JSON.stringify([name, batch]), Number(applier)] as const),
      ),
    );
    const key = JSON.stringify([...appliers]);
    const extent = known.get(key) ?? { kind: 'run', of: { run, appliers } };
    known.set(key, extent);
    extents.set(schema, extent);
  }
  return extents;
}

function assertUndoable(run: number, command: string, isAtWork: boolean): void {
  if (command !== 'migrate tenants')
    throw new TenantctlError(
      'RUN_IRREVERSIBLE',
      `Run ${run} was ${command}; --run undoes runs of migrate tenants.`,
      { hint: INSTEAD[command] },
    );
  if (isAtWork)
    throw new TenantctlError('RUN_AT_WORK', `Run ${run} is still at work.`, {
      hint: `Wait until it ends, or stop it (Ctrl-C); tenantctl runs show ${run} shows its progress.`,
    });
}

/** What to do instead of undoing a run, by command. */
const INSTEAD: Readonly<Record<string, string>> = {
  'tenant provision': 'tenantctl rollback tenants --all --tenant <org> undoes every migration of a tenant.',
  'rollback tenants': 'tenantctl migrate tenants applies pending migrations again.',
  'migrate master': 'tenantctl rollback master undoes the last batch of master migrations.',
  'rollback master': 'tenantctl migrate master applies pending migrations again.',
};

import { TenantctlError } from '../../errors.ts';
import type { EntriesOfRun } from '../plan/plan.ts';
import { isAtWork } from './at-work.ts';
import { runUnknown } from './run-unknown.ts';
import { changesIn, underNames } from '../state/memory.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/** What is to be undone where a run is. */
export interface UndoOfRun {
  /** Of each tenant, by schema. */
  readonly entries: ReadonlyMap<string, EntriesOfRun>;
  /** How many of the run's tenants have left the registry. */
  readonly gone: number;
}

/** The end of one of the histories that a ledger tells of. */
interface EntryRow {
  readonly run: string;
  readonly schema: string;
  readonly is_gone: boolean;
  readonly names: readonly string[];
  readonly batch: number;
}

/**
 * Reads what a run of `migrate tenants` has applied, and what others have applied to the same tenants after it. What was
 * applied again since is the later run's.
 * @param isOwn the run itself asks, and so may be at work
 * @throws TenantctlError RUN_UNKNOWN, RUN_IRREVERSIBLE, RUN_AT_WORK
 */
export async function readUndoOfRun(database: Database, run: number, isOwn: boolean): Promise<UndoOfRun> {
  const stateVersion = await readStateVersion(database);
  const { rows } = await database.query<{ command: string; at_work: boolean }>(
    `SELECT command, ${isAtWork('r')} AS at_work FROM tenantctl.runs r WHERE id = $1`,
    [run],
  );
  const [found] = rows;
  if (found === undefined) throw runUnknown(run);
  if (found.command !== 'migrate tenants') throw irreversible(run, found.command);
  if (found.at_work && !isOwn) throw atWork(run);
  const deeds = await database.query<EntryRow>(
    `WITH changes AS MATERIALIZED (${changesIn(stateVersion)}),
     applied AS NOT MATERIALIZED (
       SELECT run, coalesce(schema, schema_name) AS schema, is_gone, names, batch, ended_at
       FROM ${underNames('run_tenants', stateVersion)}
       WHERE direction = 'up' AND outcome = 'migrated'),
     own AS (
       SELECT schema, is_gone, min(ended_at) AS ended_at FROM applied WHERE run = $1 GROUP BY 1, 2)
     SELECT t.run, t.schema, t.is_gone, t.names, t.batch
     FROM own JOIN applied t USING (schema, is_gone)
     WHERE t.run = $1 OR t.ended_at > own.ended_at
     ORDER BY t.ended_at`,
    [run],
  );
  const [present, gone] = [false, true].map((isGone) => deeds.rows.filter((row) => row.is_gone === isGone));
  return { entries: toUndo(run, present ?? []), gone: new Set(gone?.map(({ schema }) => schema)).size };
}

/** Who was the last to apply what, for each tenant. Equal answers are one object, so that they are one plan. Pure. */
function toUndo(run: number, deeds: readonly EntryRow[]): UndoOfRun['entries'] {
  const appliers = new Map<string, Map<string, number>>();
  for (const { schema, names, batch, run: applier } of deeds) {
    const ofTenant = appliers.get(schema) ?? new Map<string, number>();
    for (const name of names) ofTenant.set(JSON.stringify([name, batch]), Number(applier));
    appliers.set(schema, ofTenant);
  }
  const known = new Map<string, EntriesOfRun>();
  return new Map(
    [...appliers].map(([schema, ofTenant]) => {
      const key = JSON.stringify([...ofTenant]);
      const entries = known.get(key) ?? { run, appliers: ofTenant };
      known.set(key, entries);
      return [schema, entries];
    }),
  );
}

function irreversible(run: number, command: string): TenantctlError {
  const hints: Record<string, string> = {
    'tenant provision': 'tenantctl rollback tenants --all --tenant <org> undoes every migration of a tenant.',
    'rollback tenants': 'tenantctl migrate tenants applies again what is pending.',
    'migrate master': 'tenantctl rollback master undoes the last batch of master migrations.',
    'rollback master': 'tenantctl migrate master applies again what is pending.',
  };
  return new TenantctlError(
    'RUN_IRREVERSIBLE',
    `Run ${run} was ${command}; --run undoes runs of migrate tenants.`,
    { hint: hints[command] },
  );
}

function atWork(run: number): TenantctlError {
  return new TenantctlError('RUN_AT_WORK', `Run ${run} is still at work.`, {
    hint: `Wait for its end, or stop it (Ctrl-C); tenantctl runs show ${run} tells how far it is.`,
  });
}

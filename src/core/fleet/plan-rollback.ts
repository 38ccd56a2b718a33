import { conjugated } from '../../wording.ts';
import type { History } from '../target/history.ts';
import { planBackward, type BackwardExtent, type EntriesOfRun } from '../plan/plan.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { isNothing, planFleet, type FleetPlan } from './plan-fleet.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { refuseOwners } from './refuse-owners.ts';
import { toExtent, type RollbackExtent, type RunExtent } from '../plan/rollback-extent.ts';
import { readUndoOfRun } from '../ledger/undo-of-run.ts';
import { selectFleet, type Fleet, type Selection } from './select-fleet.ts';
import { registrySql } from '../registry/registry-sql.ts';
import type { Database } from '../../db/database.ts';

/** What a rollback over the fleet is planned by. */
export interface TenantsRollbackOptions extends Selection {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** How much to undo; the last batch of each tenant where absent. */
  readonly extent?: RollbackExtent | RunExtent | undefined;
  /** As of RunOptions: tenants whose `down` cannot run as the owner of their schema are problems. */
  readonly tenantRole?: string | undefined;
  readonly observe?: Observer | undefined;
}

/** What one run has applied is planned by that run itself, which is at work. */
export interface OwnRollback {
  readonly isOwn: boolean;
}

/** What of each tenant a rollback would undo. */
export interface TenantsRollback {
  readonly folder: MigrationFolder;
  readonly extentOf: (tenant: { readonly schema: string }) => BackwardExtent;
  readonly fleet: Fleet;
  readonly plan: FleetPlan;
}

/** The fleet, the folder, and what of each history a rollback would undo. */
export async function planTenantsRollback(
  database: Database,
  options: TenantsRollbackOptions,
  own: OwnRollback = { isOwn: false },
): Promise<TenantsRollback> {
  const rollback = await planByExtent(database, options, own);
  return { ...rollback, plan: await refuseOwners(database, rollback.plan, options) };
}

async function planByExtent(
  database: Database,
  options: TenantsRollbackOptions,
  own: OwnRollback,
): Promise<TenantsRollback> {
  const folder = await readMigrationFolder(options.folder);
  const { extent: asked } = options;
  if (asked !== undefined && 'run' in asked)
    return planRunRollback(database, folder, asked.run, { ...options, ...own });
  const extent = toExtent(folder, asked);
  const decide = (history: History) => planBackward(folder, history, extent);
  const fleet = await selectFleet(database, options, {
    isSettled: (history) => isNothing(decide(history)),
  });
  return { folder, extentOf: () => extent, fleet, plan: planFleet(fleet, decide) };
}

/** planByExtent for what one run has applied: other tenants than its own are not looked at. */
async function planRunRollback(
  database: Database,
  folder: MigrationFolder,
  run: number,
  { tenants, observe = silent, isOwn }: Pick<TenantsRollbackOptions, 'tenants' | 'observe'> & OwnRollback,
): Promise<TenantsRollback> {
  await assertRegistry(database);
  const undo = await readUndoOfRun(database, run, isOwn);
  const nothing: BackwardExtent = { kind: 'run', of: { run, appliers: new Map() } };
  const extents = new Map<EntriesOfRun, BackwardExtent>(
    [...undo.entries.values()].map((of) => [of, { kind: 'run', of }]),
  );
  const extentOf = ({ schema }: { readonly schema: string }) => {
    const of = undo.entries.get(schema);
    return (of === undefined ? undefined : extents.get(of)) ?? nothing;
  };
  const present = await registeredSchemas(database, [...undo.entries.keys()]);
  const gone = undo.gone + undo.entries.size - present.length;
  if (gone > 0)
    observe({
      type: 'warning',
      message: `${gone} of the run's tenants ${conjugated('is', gone)} no longer in the registry.`,
    });
  const isSettled = (history: History) =>
    [...extents.values()].every((extent) => isNothing(planBackward(folder, history, extent)));
  const names = tenants !== undefined && tenants.length > 0 ? tenants : present;
  const fleet = await selectFleet(database, { tenants: names }, { isSettled, onlyNamed: true });
  const decide = (history: History, extent: BackwardExtent = nothing) =>
    planBackward(folder, history, extent);
  return { folder, extentOf, fleet, plan: planFleet<BackwardExtent>(fleet, decide, extentOf) };
}

async function registeredSchemas(database: Database, schemas: readonly string[]): Promise<string[]> {
  const { table, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string }>(
    `SELECT ${schema}::text AS schema FROM ${table} WHERE ${schema}::text = ANY ($1)`,
    [schemas],
  );
  return rows.map((row) => row.schema);
}

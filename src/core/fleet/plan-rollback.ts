import type { History } from '../target/history.ts';
import { lastBatch, planBackward, sharing, type BackwardExtent } from '../plan/plan.ts';
import { reasonsToLeave } from '../plan/latest-deploy.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { isNothing, planFleet, refuseOwners, type FleetPlan } from './plan-fleet.ts';
import { planRunRollback } from './plan-run-rollback.ts';
import { toExtent, type RollbackExtent, type RunExtent } from '../plan/rollback-extent.ts';
import { readBatchWriters } from '../ledger/batch-writers.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { readSelected, selectFleet, type Fleet, type Selection } from './select-fleet.ts';
import type { Database } from '../../db/database.ts';

export interface TenantsRollbackOptions extends Selection {
  readonly folder: string;
  /** How much to undo. If absent: the last batch of `tenants`; without these, the fleet's latest deploy. */
  readonly extent?: RollbackExtent | RunExtent | undefined;
  /** As in RunOptions: tenants whose `down` cannot run as the schema's owner are problems. */
  readonly tenantRole?: string | undefined;
  readonly observe?: Observer | undefined;
}

export interface TenantsRollback {
  readonly folder: MigrationFolder;
  readonly extentOf: (tenant: { readonly schema: string }) => BackwardExtent;
  readonly fleet: Fleet;
  readonly plan: FleetPlan;
  /** Tenants whose last batch is not the latest deploy's. */
  readonly leftAlone: readonly LeftAlone[];
}

/** A tenant that a rollback passes over because nobody asked for it. */
export interface LeftAlone {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly reason: string;
}

/**
 * Without an extent and without tenants, undoes the fleet's latest deploy: docs/decisions/0024-the-latest-deploy.md.
 * @param isOwn the run being undone is the caller itself, and so may still be active
 */
export async function planTenantsRollback(
  database: Database,
  options: TenantsRollbackOptions,
  isOwn = false,
): Promise<TenantsRollback> {
  const folder = await readMigrationFolder(options.folder);
  const { extent: asked, observe = silent } = options;
  const rollback =
    asked !== undefined && 'run' in asked
      ? await planRunRollback(database, folder, { tenants: options.tenants, run: asked.run, isOwn, observe })
      : await planExtent(database, folder, options, toExtent(folder, asked));
  return { folder, leftAlone: [], ...rollback, plan: await refuseOwners(database, rollback.plan, options) };
}

/** The tenants that lose all that they have, unless it is a deploy that is undone. Pure. */
export function emptiedBy(
  { due }: FleetPlan,
  { extent, tenants }: Pick<TenantsRollbackOptions, 'extent' | 'tenants'>,
): RegisteredTenant[] {
  const isOfDeploy = extent === undefined ? tenants === undefined : 'run' in extent;
  if (isOfDeploy) return [];
  return due
    .filter(({ history, plan }) => plan.steps.length === history.entries.length)
    .map(({ tenant }) => tenant);
}

async function planExtent(
  database: Database,
  folder: MigrationFolder,
  options: TenantsRollbackOptions,
  extent: BackwardExtent,
): Promise<Omit<TenantsRollback, 'folder'>> {
  const decide = sharing((history) => planBackward(folder, history, extent));
  const isSettled = (history: History) => isNothing(decide(history));
  const fleet = await selectFleet(database, await readSelected(database, options), { isSettled });
  const isDeploy = options.extent === undefined && options.tenants === undefined;
  const leftAlone = isDeploy ? await outsideDeploy(database, fleet) : [];
  const passedOver = new Set(leftAlone.map(({ schema }) => schema));
  const members = fleet.members.filter(({ tenant }) => !passedOver.has(tenant.schema));
  return { extentOf: () => extent, fleet, plan: planFleet({ ...fleet, members }, decide), leftAlone };
}

/** An ambiguous, interrupted or unfinished tenant is a problem of every rollback: it is not left alone. */
async function outsideDeploy(database: Database, { members, scope }: Fleet): Promise<LeftAlone[]> {
  const { intents, verbs } = scope.memory;
  const last = members
    .filter(
      ({ tenant: { isAmbiguous, schema } }) => !isAmbiguous && !intents.has(schema) && !verbs.has(schema),
    )
    .filter(({ history }) => history.entries.length > 0)
    .map(({ tenant: { clerkOrgId, schema }, history }) => ({ clerkOrgId, schema, ...lastBatchOf(history) }));
  const writers = await readBatchWriters(database, scope.stateVersion, last);
  const batches = last.map((batch) => ({ ...batch, writer: writers.get(batch.schema) }));
  const reasonOf = reasonsToLeave(batches);
  return batches.flatMap((batch) => {
    const { clerkOrgId, schema } = batch;
    const reason = reasonOf(batch);
    return reason === undefined ? [] : [{ clerkOrgId, schema, reason }];
  });
}

function lastBatchOf(history: History) {
  const batch = lastBatch(history);
  const entries = history.entries.filter((entry) => entry.batch === batch);
  const isOnly = entries.length === history.entries.length;
  return { batch, names: entries.map(({ name }) => name), isOnly };
}

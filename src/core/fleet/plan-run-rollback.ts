import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { counted, listed } from '../../wording.ts';
import type { MigrationFolder } from '../files/source.ts';
import { readUndoOfRun } from '../ledger/undo-of-run.ts';
import { NOTHING, planBackward, sharing, type BackwardExtent } from '../plan/plan.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import type { Observer } from '../report/event.ts';
import { EMPTY_HISTORY, readHistories, type History } from '../target/history.ts';
import { isNothing, planFleet, type FleetPlan } from './plan-fleet.ts';
import { findTenantsOfRun, type Stray } from './tenants-of-run.ts';
import { readSelected, selectFleet, type Fleet, type RefusedTenant, type Selection } from './select-fleet.ts';

interface RunRollback {
  readonly extentOf: (tenant: { readonly schema: string }) => BackwardExtent;
  readonly fleet: Fleet;
  readonly plan: FleetPlan;
}

interface RunRollbackOptions extends Selection {
  readonly run: number;
  /** The caller is the run itself, which may still be active. */
  readonly isOwn: boolean;
  readonly observe: Observer;
}

/**
 * Plans the undoing of a run. Loads only its tenants. Of those that have left the registry or are not ACTIVE,
 * the ones in which something of the run is still applied are refused.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, and as readUndoOfRun does
 */
export async function planRunRollback(
  database: Database,
  folder: MigrationFolder,
  { tenants, run, isOwn, observe }: RunRollbackOptions,
): Promise<RunRollback> {
  await assertRegistry(database);
  const { extents, strays } = await findTenantsOfRun(database, await readUndoOfRun(database, run, isOwn));
  if (extents.size + strays.length === 0)
    observe({ type: 'warning', message: `Run ${run} applied no migration: there is nothing to undo.` });
  const nothing: BackwardExtent = { kind: 'run', of: { run, appliers: new Map() } };
  const extentOf = ({ schema }: { readonly schema: string }) => extents.get(schema) ?? nothing;
  const decisions = new Map(
    [nothing, ...extents.values(), ...strays.map(({ extent }) => extent)].map((extent) => [
      extent,
      sharing((history) => planBackward(folder, history, extent)),
    ]),
  );
  const decide = (extent: BackwardExtent, history: History) => decisions.get(extent)?.(history) ?? NOTHING;
  const isSettled = (history: History) =>
    [...decisions.values()].every((decideOne) => isNothing(decideOne(history)));
  const selected = await readSelected(database, { tenants: tenants ?? [...extents.keys()] });
  const fleet = await selectFleet(database, selected, { isSettled });
  const plan = planFleet(fleet, (history, tenant) =>
    decide(tenant === undefined ? nothing : extentOf(tenant), history),
  );
  if (tenants !== undefined) return { extentOf, fleet, plan };
  const others = [...strays, ...fleet.notActive.map(({ tenant }) => tenant)];
  const histories = await readHistories(database, database.names.tenantHistory, others, { knexLock: false });
  const isLeft = (schema: string, extent: BackwardExtent) =>
    !isNothing(decide(extent, histories.get(schema) ?? EMPTY_HISTORY));
  const [left = [], gone = []] = [true, false].map((is) =>
    strays.filter(({ schema, extent }) => isLeft(schema, extent) === is),
  );
  if (gone.length > 0) {
    const names = listed(gone.map(({ clerkOrgId }) => clerkOrgId));
    const message = `${counted(gone.length, 'tenant')} of run ${run} left the registry, and nothing of the run is left to undo there: ${names}.`;
    observe({ type: 'warning', message });
  }
  const notActive = fleet.notActive.filter(({ tenant }) => isLeft(tenant.schema, extentOf(tenant)));
  return {
    extentOf,
    fleet: { ...fleet, notActive },
    plan: {
      ...plan,
      settled: plan.settled + fleet.notActive.length - notActive.length,
      problems: [...plan.problems, ...left.map((stray) => unregistered(stray, run))],
    },
  };
}

function unregistered({ clerkOrgId, schema }: Stray, run: number): RefusedTenant {
  const message = `"${clerkOrgId}" is no longer in the registry, and what run ${run} applied is still in its schema ${schema}.`;
  const hint = 'tenantctl doctor shows how to register the schema again or to drop it.';
  const error = new TenantctlError('TENANT_UNKNOWN', message, { tenant: clerkOrgId, hint });
  return { tenant: { clerkOrgId, schema }, error };
}

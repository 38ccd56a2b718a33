import { isWarning, renderNotice } from '../report/notices.ts';
import { withTransaction } from '../../db/transaction.ts';
import { listed, namedTenants } from '../../wording.ts';
import { checkOptions } from '../options/check-options.ts';
import { checkCall } from '../options/check-call.ts';
import { createRunContext, type RunContext } from '../run/run-context.ts';
import type { MigrateMasterOptions } from './migrate-master.ts';
import { planMasterRollback, tenantNames, type RollbackMasterOptions } from './rollback-master.ts';
import {
  isNothing,
  planFleet,
  planKey,
  refuseOwners,
  stepsDue,
  type FleetPlan,
} from '../fleet/plan-fleet.ts';
import type { MigrateTenantsOptions } from './migrate-tenants.ts';
import type { History } from '../target/history.ts';
import type { Direction } from '../files/load.ts';
import { filesOf, NOTHING, type Plan } from '../plan/plan.ts';
import { masterTarget, tenantTarget } from '../target/target.ts';
import { hasRegistryTable } from '../registry/registry-shape.ts';
import { droppedOf, mayDropTables, readSharedTables } from './shared-tables.ts';
import { emptiedBy, planTenantsRollback, type LeftAlone } from '../fleet/plan-rollback.ts';
import type { RollbackTenantsOptions } from './rollback-tenants.ts';
import { readPlanner } from '../fleet/ahead.ts';
import { scriptsOf } from '../files/repeatable.ts';
import { readScriptPlanner } from '../fleet/plan-scripts.ts';
import { isWithoutHistory, readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { upgradeState } from '../install/state-schema.ts';
import { rehearseVectorExtension, type VectorExtensionMode } from '../install/vector-extension.ts';
import { planMaster, refusePendingMaster, readTenantFolder } from '../plan/plan-folder.ts';
import { refuseOtherHistories } from '../plan/refuse-other-histories.ts';
import { refuseSkeletons, refuseSkeletonsIn } from '../plan/refuse-skeletons.ts';
import { findCanaries } from '../rollout/prepare-rollout.ts';
import { refusalsIn } from '../state/failures.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';
import { tryPlan, type RehearsedPlan } from './try-plan.ts';

export interface Rehearsal {
  readonly plans: readonly RehearsedPlan[];
  readonly upToDate: number;
  readonly problems: FleetPlan['problems'];
  readonly warnings: readonly string[];
  /** Tenants that `rollback tenants` would pass over, by reason; absent for other commands. */
  readonly leftAlone?: readonly LeftAlone[];
}

/** Milliseconds that a rehearsal waits for a lock: it must not block an application. */
const REHEARSAL_LOCK_TIMEOUT_MS = 1_000;

const NO_TENANTS: FleetPlan = { due: [], upToDate: [], behind: [], settled: 0, problems: [], warnings: [] };

/** What `migrate master` would do. Nothing is changed, not even the histories. */
export async function rehearseMaster(database: Database, given: MigrateMasterOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder');
  const { plan } = await planMaster(database, options);
  await refuseSkeletons(database, 'master', filesOf(plan.steps));
  return rehearse(createRunContext(database, options), 'up', plan, withoutTenants(plan));
}

export async function rehearseMasterRollback(
  database: Database,
  given: RollbackMasterOptions,
): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder');
  const { plan } = await planMasterRollback(database, options);
  if (plan.problem !== undefined) throw plan.problem;
  const tenants = await tenantNames(database);
  const context = createRunContext(database, options);
  const migrations = tenants.length === 0 ? [] : filesOf(plan.steps).map(context.load);
  const unknown = await mayDropTables(context, await Promise.all(migrations));
  const asked = `Which tables this drops is not known before it runs (${listed(unknown)}), and ${namedTenants(tenants)} may use them: without --yes it asks first.`;
  const warnings = unknown.length === 0 ? plan.warnings : [...plan.warnings, asked];
  return rehearse(context, 'down', plan, withoutTenants({ ...plan, warnings }), { tenants });
}

/** What `migrate tenants` would do: once for each distinct plan, on its first tenant. */
export async function rehearseTenants(database: Database, given: MigrateTenantsOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder');
  const plan = await planTenants(database, options);
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, options);
  await refuseSkeletons(database, 'tenants', filesOf(stepsDue(plan)));
  const { vectorExtension = 'auto' } = options;
  return rehearse(createRunContext(database, options), 'up', NOTHING, plan, { vectorExtension });
}

export async function rehearseTenantsRollback(
  database: Database,
  given: RollbackTenantsOptions,
): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder');
  const { fleet, plan, leftAlone } = await planTenantsRollback(database, options);
  const problems = [...plan.problems, ...fleet.notActive];
  const emptied = emptiedBy(plan, options).map(({ clerkOrgId }) => clerkOrgId);
  const asked = `This undoes every migration of ${namedTenants(emptied, 10)}: without --yes it asks first.`;
  const warnings = emptied.length === 0 ? plan.warnings : [...plan.warnings, asked];
  const context = createRunContext(database, options);
  return { ...(await rehearse(context, 'down', NOTHING, { ...plan, problems, warnings })), leftAlone };
}

/** What `migrate all` would do: the tenants see the effects of the pending master migrations. */
export async function rehearseAll(
  database: Database,
  givenMaster: MigrateMasterOptions,
  givenTenants: MigrateTenantsOptions,
): Promise<Rehearsal> {
  const master = checkOptions(givenMaster, 'folder');
  const options = checkCall(database, givenTenants, 'folder');
  const { plan } = await planMaster(database, master);
  await refuseSkeletons(database, 'master', filesOf(plan.steps));
  await refuseSkeletonsIn(database, options.folder);
  const hasRegistry = await hasRegistryTable(database, database.names);
  const tenants = await planTenants(database, options, hasRegistry);
  const { vectorExtension = 'auto' } = options;
  return rehearse(createRunContext(database, options), 'up', plan, tenants, { vectorExtension });
}

async function planTenants(
  database: Database,
  options: MigrateTenantsOptions,
  hasRegistry = true,
): Promise<FleetPlan> {
  const { folder, forward } = await readTenantFolder(options);
  if (!hasRegistry) return NO_TENANTS;
  await findCanaries(database, options.rollout?.canary, options);
  const selected = await readSelected(database, options, scriptsOf(folder));
  const decide = await readPlanner(database, selected.known, folder, forward);
  const isSettled = (history: History) => isNothing(decide(history));
  const fleet = await selectFleet(database, selected, { isSettled, verify: options.verify });
  if (isWithoutHistory(fleet)) await refuseOtherHistories(database, 'tenants', folder);
  const decideAll = await readScriptPlanner(database, folder, decide, fleet);
  const plan = await refuseOwners(database, planFleet(fleet, decideAll), options);
  const behind = fleet.isNamed && options.allowNewerHistory !== true ? plan.behind : [];
  const problems = [...plan.problems, ...fleet.notActive, ...behind];
  if (options.rollout?.check !== undefined) return { ...plan, problems };
  // The run would report these as failed: no check would ask them again.
  const refusals = refusalsIn(fleet.scope.memory.failures);
  const refused = plan.upToDate.flatMap(({ tenant }) => {
    const error = refusals.get(tenant.schema);
    return error === undefined ? [] : { tenant, error };
  });
  const upToDate = plan.upToDate.filter(({ tenant }) => !refusals.has(tenant.schema));
  return { ...plan, upToDate, problems: [...problems, ...refused] };
}

/** A plan for the master schema alone, which counts as the up-to-date target. */
function withoutTenants({ steps, warnings }: Plan): FleetPlan {
  return { ...NO_TENANTS, settled: steps.length === 0 ? 1 : 0, warnings };
}

interface Surroundings {
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** Those that share what a master rollback drops. */
  readonly tenants?: readonly string[];
}

/** Tries the master plan, then the tenants' plans, with the current schema tenantctl, and rolls back. */
export async function rehearse(
  context: RunContext,
  direction: Direction,
  master: Plan,
  { due, upToDate, settled, problems, warnings }: FleetPlan,
  { vectorExtension, tenants = [] }: Surroundings = {},
): Promise<Rehearsal> {
  const { database } = context;
  const plans: RehearsedPlan[] = [];
  const told = [...warnings];
  const result = { plans, upToDate: upToDate.length + settled, problems, warnings: told };
  if (master.steps.length === 0 && due.length === 0) return result;
  const version = await readStateVersion(database);
  const settings = { lockTimeoutMs: REHEARSAL_LOCK_TIMEOUT_MS };
  await withTransaction(database, settings, [], async (transaction) => {
    transaction.abandon();
    const { client } = transaction;
    await upgradeState(client, database, version);
    const trial = { context, client, direction };
    if (master.steps.length > 0) {
      const shared =
        tenants.length > 0 ? await readSharedTables(client, database.names) : new Map<string, string>();
      plans.push(await tryPlan(trial, masterTarget(database.names), master, [{ schema: 'public' }]));
      const dropped = await droppedOf(client, shared);
      if (dropped.length > 0)
        told.push(
          `This drops ${listed(dropped, 10)}, which ${namedTenants(tenants)} may use: without --yes it asks first.`,
        );
    }
    if (vectorExtension !== undefined) await rehearseVectorExtension(client, vectorExtension);
    await client.query('SAVEPOINT tenantctl_plan');
    for (const tasks of Map.groupBy(due, ({ plan }) => planKey(plan)).values()) {
      const [first] = tasks;
      if (first === undefined) continue;
      const target = tenantTarget(database.names, first.tenant, context);
      const tenants = tasks.map(({ tenant: { clerkOrgId, schema } }) => ({ clerkOrgId, schema }));
      plans.push(await tryPlan(trial, target, first.plan, tenants));
      await client.query('ROLLBACK TO SAVEPOINT tenantctl_plan');
    }
  });
  told.push(...context.warnings, ...context.notices.list().filter(isWarning).map(renderNotice));
  return result;
}

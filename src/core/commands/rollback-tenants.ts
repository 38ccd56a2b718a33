import { forgetFiles } from '../state/checksums.ts';
import { checkOptions } from '../options/check-options.ts';
import { createRunContext, type RunOptions } from '../run/run-context.ts';
import type { FleetWork } from '../strategy/work.ts';
import { serveFleet } from '../strategy/serve-fleet.ts';
import { stillPlanned, type RunExtent } from '../plan/rollback-extent.ts';
import { namesDue, type Due } from '../fleet/plan-fleet.ts';
import { planTenantsRollback, type TenantsRollbackOptions } from '../fleet/plan-rollback.ts';
import { createLanes, type Concurrency } from '../run/lanes.ts';
import { advance } from '../apply/advance.ts';
import { planBackward } from '../plan/plan.ts';
import { planner } from '../plan/planner.ts';
import { assertSessions } from '../apply/sessions-needed.ts';
import { stemOf } from '../files/source.ts';
import { tenantTarget } from '../target/target.ts';
import { silent } from '../report/event.ts';
import { fleetResult, untouched, type FleetResult, type TenantResult } from '../report/results.ts';
import { askedOf } from './asked-of.ts';
import { recordFailures } from '../ledger/record-in-run.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import { selectFleet } from '../fleet/select-fleet.ts';
import { ensureState, STATE_VERSION } from '../install/state-schema.ts';
import { isAsPlanned } from '../strategy/peers.ts';
import { readClasses } from '../fleet/read-classes.ts';
import { endingOf } from '../ledger/ending.ts';
import { forgetFailure, readMemory } from '../state/failures.ts';
import type { Database } from '../../db/database.ts';
import type { TenantStatus } from '../../names.ts';

const ACTIVE_ONLY: readonly TenantStatus[] = ['ACTIVE'];

export interface RollbackTenantsOptions extends RunOptions, TenantsRollbackOptions {
  readonly concurrency?: Concurrency | undefined;
  /** False: every migration is gone through with every tenant, statement by statement. */
  readonly compile?: boolean | undefined;
}

/**
 * Undoes exactly what a run of `migrate tenants` has applied, each tenant in a transaction of its own. A tenant where
 * something newer was applied since fails, and nothing is undone there; one where it has been undone already is up to
 * date. `evenAtWork` is for the run itself.
 * @throws TenantctlError RUN_UNKNOWN, RUN_AT_WORK, RUN_IRREVERSIBLE, and as rollbackTenants does
 */
export function rollbackRun(
  database: Database,
  run: number,
  { evenAtWork, ...options }: Omit<RollbackTenantsOptions, 'extent'> & Pick<RunExtent, 'evenAtWork'>,
): Promise<FleetResult> {
  return rollbackTenants(database, { ...options, extent: { run, evenAtWork } });
}

/**
 * Undoes the last batch of each selected tenant's history, or more, each tenant in a transaction of its own. A tenant
 * that has nothing to undo counts as up to date; one whose `down` throws stays where it was.
 * @throws TenantctlError for what keeps the run from beginning; a tenant's failure is in the result instead
 */
export async function rollbackTenants(
  database: Database,
  given: RollbackTenantsOptions,
): Promise<FleetResult> {
  const options = checkOptions(given, 'folder');
  const observe = options.observe ?? silent;
  const facts = {
    command: 'rollback tenants',
    options: askedOf(options),
    keep: options.keepRuns,
    observe,
  } as const;
  return withRun(database, facts, options.run, (run) => rollBackInRun(database, options, run), endingOf);
}

async function rollBackInRun(
  database: Database,
  options: RollbackTenantsOptions,
  run: RecordedRun,
): Promise<FleetResult> {
  const started = Date.now();
  const observe = options.observe ?? silent;
  const context = createRunContext(database, { ...options, run });
  const { folder, extentOf, fleet, plan } = await planTenantsRollback(database, options);
  const lanes = await createLanes(database, options.concurrency);
  await ensureState(database, fleet.scope.stateVersion);
  const memory = await readMemory(database, STATE_VERSION);
  const files = folder.files.filter((file) =>
    plan.due.some((due) => due.plan.steps.some((step) => step.file === file)),
  );
  assertSessions(database, await Promise.all(files.map((file) => context.load(file))), 'down');
  if (plan.due.length > 0 || plan.problems.length > 0) await run.begin(namesDue(plan));
  await recordFailures(database, run, { command: 'rollback tenants', direction: 'down' }, plan.problems);
  observe({
    type: 'selected',
    total: fleet.members.length + fleet.withoutSchema.length + plan.settled,
    due: plan.due.length,
  });

  const closing = ({ tenant }: Due) =>
    memory.failures.has(tenant.schema) ? [forgetFailure(tenant.schema)] : [];
  const serve: FleetWork['serve'] = async (due, { record }) => {
    const result = await advance(context, tenantTarget(database.names, due.tenant, context), {
      direction: 'down',
      decide: (history, undone) =>
        stillPlanned(planBackward(folder, history, extentOf(due.tenant)), due.plan, undone),
      statuses: ACTIVE_ONLY,
      closing: closing(due),
      hasState: true,
      hasTables: due.tenant.tables.hasHistory && due.tenant.tables.hasLock,
      record,
    });
    return { ...result, locksShared: false };
  };
  let isShared = false;
  const served =
    plan.due.length === 0
      ? []
      : await serveFleet(context, plan.due, {
          command: 'rollback tenants',
          direction: 'down',
          statuses: ACTIVE_ONLY,
          serve,
          closing,
          isDone: isAsPlanned('down'),
          onMet() {
            isShared = true;
          },
          lanes,
          compile: options.compile !== false && !database.sharedSession,
          observe,
        });
  const tenants: TenantResult[] = [
    ...served,
    ...fleet.notActive.map((tenant) =>
      untouched(tenant, 'skipped', { reason: `its status is ${tenant.status}` }),
    ),
    ...plan.upToDate.map(({ tenant }) => untouched(tenant, 'up-to-date')),
    ...plan.problems.map(({ tenant, error }) => untouched(tenant, 'failed', { error })),
  ];
  await forgetUndone(database, served);
  return fleetResult(tenants, {
    started,
    settled: plan.settled,
    signal: options.signal,
    notActive: fleet.notActiveByStatus,
    fleet: await readClasses(database, fleet.scope, planner(folder), observe),
    shared: isShared,
  });
}

/** Files that no tenant's history holds any more may be edited without a warning. */
async function forgetUndone(database: Database, served: readonly TenantResult[]): Promise<void> {
  const undone = new Set(served.flatMap((result) => result.names));
  if (undone.size === 0) return;
  const everyone = await selectFleet(database, {}, { isSettled: () => true });
  const held = new Set(
    [...everyone.settledHistories, ...everyone.members.map(({ history }) => history)].flatMap(({ entries }) =>
      entries.map((entry) => stemOf(entry.name)),
    ),
  );
  await forgetFiles(
    database,
    'tenants',
    [...undone].filter((name) => !held.has(stemOf(name))),
  );
}

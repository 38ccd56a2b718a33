import type { PoolClient } from 'pg';
import { checkOptions } from '../options/check-options.ts';
import { messageOf } from '../../errors.ts';
import { editedFiles, editedWarning, recordFiles } from '../state/checksums.ts';
import { DEFAULT_CONCURRENCY } from '../run/capacity.ts';
import { createRunContext, isStopped, type RunContext, type RunOptions } from '../run/run-context.ts';
import type { FleetWork } from '../strategy/work.ts';
import { createLanes, type Concurrency, type Lanes } from '../run/lanes.ts';
import { advance } from '../apply/advance.ts';
import { planForward, type ForwardOptions, type Plan } from '../plan/plan.ts';
import { planner } from '../plan/planner.ts';
import type { MigrationFolder } from '../files/source.ts';
import { assertSessions } from '../apply/sessions-needed.ts';
import { tenantTarget } from '../target/target.ts';
import { silent, type Observer } from '../report/event.ts';
import { isAsPlanned } from '../strategy/peers.ts';
import { foundClasses, readClasses } from '../fleet/read-classes.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import { prepareRollout, type Rollout } from '../rollout/rollout.ts';
import { isNothing, namesDue, planFleet, type FleetPlan } from '../fleet/plan-fleet.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { fleetResult, untouched, type FleetResult, type TenantResult } from '../report/results.ts';
import { refuseOwners } from '../fleet/refuse-owners.ts';
import { selectFleet, type FleetSelection, type Wishes } from '../fleet/select-fleet.ts';
import type { Member } from '../fleet/member.ts';
import { askedOf } from './asked-of.ts';
import { recordFailures } from '../ledger/record-in-run.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import { putStampsRight } from '../fleet/put-stamps-right.ts';
import { ensureState, STATE_VERSION } from '../install/state-schema.ts';
import { moveExtensions, sharedLocks } from '../apply/tenant-hygiene.ts';
import { ensureVectorExtension, type VectorExtensionMode } from '../run/vector-extension.ts';
import { endingOf } from '../ledger/ending.ts';
import { refusePendingMaster } from '../plan/plan-master.ts';
import { readTenantFolder, type TenantFolderOptions } from '../plan/tenant-folder.ts';
import { forgetFailure, readMemory, type Memory } from '../state/failures.ts';
import type { Database } from '../../db/database.ts';
import type { TenantStatus } from '../../names.ts';

const ACTIVE_ONLY: readonly TenantStatus[] = ['ACTIVE'];

export interface MigrateTenantsOptions extends RunOptions, FleetSelection, TenantFolderOptions {
  /** The folder of the master migrations: pending ones there are refused. Not looked at where absent. */
  readonly masterFolder?: string | undefined;
  /** Transactions open at once; 4, or what the server has free, where absent. */
  readonly concurrency?: Concurrency | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** Read every history table, whatever the stamps say, and put the stamps right. */
  readonly verify?: boolean | undefined;
  /** False: every migration is gone through with every tenant, statement by statement. */
  readonly compile?: boolean | undefined;
  /** List tenants that were up to date, too; they are only counted otherwise. */
  readonly listUpToDate?: boolean | undefined;
  /** Canaries, waves, a check, and what stops the run; all tenants at once where absent. */
  readonly rollout?: RolloutOptions | undefined;
  readonly observe?: Observer | undefined;
}

/**
 * Applies the pending tenant migrations to every ACTIVE tenant of the selection, on one pool of connections, each
 * tenant in a transaction of its own. At its end it looks for tenants that were provisioned in the meantime.
 * @throws TenantctlError for what keeps the run from beginning; a tenant's failure is in the result instead
 */
export async function migrateTenants(database: Database, given: MigrateTenantsOptions): Promise<FleetResult> {
  const options = checkOptions(given, 'folder');
  const observe = options.observe ?? silent;
  const facts = {
    command: 'migrate tenants',
    options: askedOf(options),
    keep: options.keepRuns,
    observe,
  } as const;
  return withRun(database, facts, options.run, (run) => migrateInRun(database, options, run), endingOf);
}

async function migrateInRun(
  database: Database,
  options: MigrateTenantsOptions,
  run: RecordedRun,
): Promise<FleetResult> {
  const started = Date.now();
  const observe = options.observe ?? silent;
  const context = createRunContext(database, { ...options, run });
  const { folder, forward } = await readTenantFolder(options);
  const lanes = await createLanes(database, options.concurrency);
  const decide = planner(folder, forward);
  const wishes: Wishes = {
    isSettled: options.listUpToDate === true ? undefined : (history) => isNothing(decide(history)),
    verify: options.verify,
    foresee: (histories) => getReady(context, histories.map(decide), lanes),
  };
  const fleet = await selectFleet(database, options, wishes);
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, options);
  const command = 'migrate tenants';
  const rollout = await prepareRollout(context, { ...options, folder, lanes, command, observe });
  await ensureState(database, fleet.scope.stateVersion);
  const edited = await editedFiles(database, 'tenants', folder);
  if (edited.length > 0) observe({ type: 'warning', message: editedWarning(edited) });

  const results = new Map<string, TenantResult>();
  let settled = 0;
  let isIdle = true;
  let isShared = false;
  const onMet = () => {
    isShared = true;
  };
  let todo = fleet;
  for (;;) {
    const plan = await refuseOwners(database, planFleet(todo, decide), options);
    if (todo === fleet) settled = plan.settled;
    if (plan.due.length > 0 || plan.problems.length > 0) isIdle = false;
    for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
    observe({
      type: 'selected',
      total: todo.members.length + todo.withoutSchema.length + settled,
      due: plan.due.length,
    });
    // A migration stamps its tenant itself. With verify, a wrong stamp of such a tenant is reported, too.
    await putStampsRight(database, options.verify === true ? todo.members : plan.upToDate, observe, {
      run: lanes.run,
      signal: options.signal,
    });
    for (const result of await apply(rollout, run, folder, plan, forward, { ...options, lanes, onMet }))
      results.set(result.schema, result);
    for (const tenant of todo.notActive) {
      results.set(tenant.schema, untouched(tenant, 'skipped', { reason: `its status is ${tenant.status}` }));
    }
    if (isStopped(rollout.context) || plan.due.length === 0) break;
    // An old release may have provisioned tenants while this ran: they are behind, and nobody else will see to them.
    const newcomers = await selectFleet(database, options, {
      isSettled: (history) => isNothing(decide(history)),
      without: results,
    }).catch((error: unknown) => {
      // Where the server has gone, what became of each tenant is still to be told.
      if (![...results.values()].some(({ outcome }) => outcome === 'failed')) throw error;
      observe({ type: 'warning', message: `New tenants were not looked for: ${messageOf(error)}` });
    });
    if (newcomers === undefined) break;
    todo = { ...newcomers, settled: 0, settledHistories: [], notActive: [] };
    if (todo.members.length === 0) break;
  }
  const found = isIdle && !isShared ? foundClasses(fleet) : undefined;
  return fleetResult([...results.values()], {
    started,
    settled,
    signal: options.signal,
    notActive: fleet.notActiveByStatus,
    rollout: rollout.result(),
    fleet: found ?? (await readClasses(database, fleet.scope, decide, observe)),
    shared: isShared,
  });
}

/** Loads and connects, while the server is still reading the tenants; what fails fails where it is needed. */
function getReady(context: RunContext, plans: readonly Plan[], lanes: Lanes): void {
  const files = new Set(plans.flatMap(({ steps }) => steps.map(({ file }) => file)));
  if (files.size === 0) return;
  const loading = Promise.all([...files].map((file) => context.load(file)));
  // Knex last: which one is taken depends on what the migrations have loaded.
  loading
    .then((loaded) => (loaded.some(({ up }) => up?.kind !== 'sql') ? context.knex() : undefined))
    .catch(() => {});
  void context.database.warm(Math.min(lanes.width, DEFAULT_CONCURRENCY));
}

async function apply(
  rollout: Rollout,
  run: RecordedRun,
  folder: MigrationFolder,
  plan: FleetPlan,
  forward: ForwardOptions,
  options: MigrateTenantsOptions & { readonly lanes: Lanes; readonly onMet: () => void },
): Promise<TenantResult[]> {
  const { context } = rollout;
  const { database } = context;
  const observe = options.observe ?? silent;
  if (plan.due.length === 0 && plan.upToDate.length === 0 && plan.problems.length === 0) return [];
  const memory = await readMemory(database, STATE_VERSION);
  const untouchedResults = [
    ...plan.upToDate.map(({ tenant }) => untouched(tenant, 'up-to-date')),
    ...plan.problems.map(({ tenant, error }) => untouched(tenant, 'failed', { error })),
  ];
  if (plan.due.length > 0 || plan.problems.length > 0) await run.begin(namesDue(plan));
  await recordFailures(database, run, { command: 'migrate tenants', direction: 'up' }, plan.problems);
  await forgetStaleFailures(database, plan.upToDate, memory);
  const results = await rollout.open(plan, untouchedResults);
  if (plan.due.length === 0) return [...results];

  const files = folder.files.filter((file) =>
    plan.due.some((due) => due.plan.steps.some((step) => step.file === file)),
  );
  assertSessions(database, await Promise.all(files.map((file) => context.load(file))), 'up');
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);
  const served = await rollout.serve(plan.due, {
    command: 'migrate tenants',
    direction: 'up',
    statuses: ACTIVE_ONLY,
    serve: forwardServer(context, folder, forward, memory, observe),
    closing: ({ tenant }) => closingFor(tenant, memory),
    isDone: isAsPlanned('up'),
    onMet: options.onMet,
    lanes: options.lanes,
    compile: options.compile !== false && !database.sharedSession,
    observe,
  });
  const applied = new Set(served.flatMap((result) => result.names));
  await recordFiles(
    database,
    'tenants',
    files.filter((file) => applied.has(file.name)),
  ).catch((error: unknown) => {
    observe({ type: 'warning', message: `The files' checksums were not kept: ${messageOf(error)}` });
  });
  return [...results, ...served];
}

function forwardServer(
  context: RunContext,
  folder: MigrationFolder,
  forward: ForwardOptions,
  memory: Memory,
  observe: Observer,
): FleetWork['serve'] {
  return async ({ tenant, plan, part }, { isPilot, record }) => {
    // A part goes as far as its last step, whatever has become of the tenant's history in the meantime.
    const extent = part === undefined ? forward : { ...forward, to: plan.steps.at(-1)?.file };
    let locksShared = false;
    const inspect = async (client: PoolClient) => {
      locksShared = (await sharedLocks(client)).length > 0;
      await moveExtensions(client, tenant.schema, observe);
    };
    const result = await advance(context, tenantTarget(context.database.names, tenant, context), {
      direction: 'up',
      decide: (history) => planForward(folder, history, extent),
      batch: part?.isFirst === false ? plan.batch : undefined,
      statuses: ACTIVE_ONLY,
      beforeCommit: isPilot ? inspect : undefined,
      closing: part?.isLast === false ? [] : closingFor(tenant, memory),
      hasState: true,
      hasTables: tenant.tables.hasHistory && tenant.tables.hasLock,
      record,
    });
    return { ...result, locksShared };
  };
}

/** A tenant that is brought up to date has no failure any more. */
function closingFor(tenant: RegisteredTenant, memory: Memory): string[] {
  return memory.failures.has(tenant.schema) ? [forgetFailure(tenant.schema)] : [];
}

/** A tenant that is up to date has no failure any more, whoever helped it. */
async function forgetStaleFailures(
  database: Database,
  upToDate: readonly Member[],
  memory: Memory,
): Promise<void> {
  const stale = upToDate.map(({ tenant }) => tenant.schema).filter((schema) => memory.failures.has(schema));
  if (stale.length === 0) return;
  await database.query('DELETE FROM tenantctl.tenant_failures WHERE schema_name = ANY ($1)', [stale]);
}

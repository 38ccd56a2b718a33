import { withTransaction, type OpenTransaction } from '../../db/transaction.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import { checkOptions } from '../options/check-options.ts';
import { createRunContext, type RunContext } from '../run/run-context.ts';
import type { MigrateMasterOptions } from './migrate-master.ts';
import { planMasterRollback, type RollbackMasterOptions } from './rollback-master.ts';
import { isNothing, planFleet, refuseOwners, type FleetPlan, planKey } from '../fleet/plan-fleet.ts';
import type { MigrateTenantsOptions } from './migrate-tenants.ts';
import { runAction } from '../apply/action.ts';
import { watchSchema } from '../guard/guard.ts';
import { giveControl } from '../target/control.ts';
import type { History } from '../target/history.ts';
import { type Migration, runsInTransaction, type Direction } from '../files/load.ts';
import { type Plan, planner } from '../plan/plan.ts';
import { masterTarget, tenantTarget, type Target } from '../target/target.ts';
import { readRegistryShape } from '../registry/registry-shape.ts';
import { planTenantsRollback } from '../fleet/plan-rollback.ts';
import type { RollbackTenantsOptions } from './rollback-tenants.ts';
import { selectFleet } from '../fleet/select-fleet.ts';
import { upgradeState } from '../install/state-schema.ts';
import { rehearseVectorExtension, type VectorExtensionMode } from '../install/vector-extension.ts';
import { planMaster, refusePendingMaster, readTenantFolder } from '../plan/plan-folder.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';
import type { SentStatement } from '../../db/knex/statement.ts';

/** What one migration of a plan would send to the server. */
export interface RehearsedMigration {
  readonly name: string;
  readonly transaction: boolean;
  /** The SQL in order, with bound values in comments: see `statementText`. */
  readonly statements: readonly string[];
  /** What could not be shown, and why. */
  readonly note?: string | undefined;
  readonly error?: TenantctlError | undefined;
}

/** A plan, its schemas, and what it would do. */
export interface RehearsedPlan {
  readonly scope: 'master' | 'tenants';
  readonly targets: readonly { readonly clerkOrgId?: string | undefined; readonly schema: string }[];
  /** The schema in which it was tried. */
  readonly shownOn: string;
  readonly migrations: readonly RehearsedMigration[];
}

export interface Rehearsal {
  readonly plans: readonly RehearsedPlan[];
  readonly upToDate: number;
  readonly problems: FleetPlan['problems'];
  readonly warnings: readonly string[];
}

/** Milliseconds that a rehearsal waits for a lock: it must not block an application. */
const REHEARSAL_LOCK_TIMEOUT_MS = 1_000;

/** Each migration is tried behind this savepoint. */
const STEP = 'tenantctl_step';

/** What `migrate master` would do. Nothing is changed, not even the histories. */
export async function rehearseMaster(database: Database, given: MigrateMasterOptions): Promise<Rehearsal> {
  const options = checkOptions(given, 'folder');
  const { plan } = await planMaster(database, options);
  return masterRehearsal(createRunContext(database, options), plan, 'up');
}

/** What `rollback master` would do. */
export async function rehearseMasterRollback(
  database: Database,
  given: RollbackMasterOptions,
): Promise<Rehearsal> {
  const options = checkOptions(given, 'folder');
  const { plan } = await planMasterRollback(database, options);
  if (plan.problem !== undefined) throw plan.problem;
  return masterRehearsal(createRunContext(database, options), plan, 'down');
}

/** What `migrate tenants` would do: once for each distinct plan, on its first tenant. */
export async function rehearseTenants(database: Database, given: MigrateTenantsOptions): Promise<Rehearsal> {
  const options = checkOptions(given, 'folder');
  const plan = await planTenants(database, options, await readTenantFolder(options));
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, options);
  return fleetRehearsal(createRunContext(database, options), plan, 'up', options.vectorExtension);
}

/** What `rollback tenants` would do. */
export async function rehearseTenantsRollback(
  database: Database,
  given: RollbackTenantsOptions,
): Promise<Rehearsal> {
  const options = checkOptions(given, 'folder');
  const { plan } = await planTenantsRollback(database, options);
  return fleetRehearsal(createRunContext(database, options), plan, 'down');
}

/** What `migrate all` would do: the tenants see what the pending master migrations would have done. */
export async function rehearseAll(
  database: Database,
  givenMaster: MigrateMasterOptions,
  givenTenants: MigrateTenantsOptions,
): Promise<Rehearsal> {
  const master = checkOptions(givenMaster, 'folder');
  const tenants = checkOptions(givenTenants, 'folder');
  const context = createRunContext(database, tenants);
  const { plan: masterPlan } = await planMaster(database, master);
  const tenantFolder = await readTenantFolder(tenants);
  const hasRegistry = (await readRegistryShape(database)) !== undefined;
  const plan = hasRegistry
    ? await planTenants(database, tenants, tenantFolder)
    : { due: [], upToDate: [], settled: 0, problems: [], warnings: [] };
  return inRehearsal(database, async (transaction) => {
    const masters = await tryMaster(context, transaction, masterPlan, 'up');
    await rehearseVectorExtension(transaction.client, tenants.vectorExtension ?? 'auto');
    const plans = await tryFleet(context, transaction, plan, 'up');
    return toRehearsal(masterPlan.steps.length > 0 ? [masters, ...plans] : plans, plan);
  });
}

async function planTenants(
  database: Database,
  options: MigrateTenantsOptions,
  { folder, forward }: Awaited<ReturnType<typeof readTenantFolder>>,
): Promise<FleetPlan> {
  const decide = planner(folder, forward);
  const isSettled = (history: History) => isNothing(decide(history));
  const fleet = await selectFleet(database, options, { isSettled, verify: options.verify });
  return refuseOwners(database, planFleet(fleet, decide), options);
}

async function masterRehearsal(context: RunContext, plan: Plan, direction: Direction): Promise<Rehearsal> {
  const base = { upToDate: plan.steps.length === 0 ? 1 : 0, problems: [], warnings: plan.warnings };
  if (plan.steps.length === 0) return { plans: [], ...base };
  const rehearsed = await inRehearsal(context.database, (transaction) =>
    tryMaster(context, transaction, plan, direction),
  );
  return { plans: [rehearsed], ...base };
}

async function tryMaster(
  context: RunContext,
  transaction: OpenTransaction,
  plan: Plan,
  direction: Direction,
): Promise<RehearsedPlan> {
  const target = masterTarget(context.database.names);
  const migrations = await tryPlan(context, transaction, target, plan, direction);
  return { scope: 'master', targets: [{ schema: 'public' }], shownOn: 'public', migrations };
}

async function fleetRehearsal(
  context: RunContext,
  plan: FleetPlan,
  direction: Direction,
  vectorExtension: VectorExtensionMode = 'auto',
): Promise<Rehearsal> {
  if (plan.due.length === 0) return toRehearsal([], plan);
  const plans = await inRehearsal(context.database, async (transaction) => {
    if (direction === 'up') await rehearseVectorExtension(transaction.client, vectorExtension);
    return tryFleet(context, transaction, plan, direction);
  });
  return toRehearsal(plans, plan);
}

function toRehearsal(plans: readonly RehearsedPlan[], plan: FleetPlan): Rehearsal {
  return {
    plans,
    upToDate: plan.upToDate.length + plan.settled,
    problems: plan.problems,
    warnings: plan.warnings,
  };
}

/** Runs `use` in a transaction that is always rolled back, with the tenantctl schema that a run would have. */
async function inRehearsal<T>(
  database: Database,
  use: (transaction: OpenTransaction) => Promise<T>,
): Promise<T> {
  const version = await readStateVersion(database);
  return withTransaction(database, { lockTimeoutMs: REHEARSAL_LOCK_TIMEOUT_MS }, [], async (transaction) => {
    transaction.abandon();
    await upgradeState(transaction.client, database.names, version);
    return use(transaction);
  });
}

async function tryFleet(
  context: RunContext,
  transaction: OpenTransaction,
  plan: FleetPlan,
  direction: Direction,
): Promise<RehearsedPlan[]> {
  const shown: RehearsedPlan[] = [];
  for (const tasks of Map.groupBy(plan.due, ({ plan }) => planKey(plan)).values()) {
    const [first] = tasks;
    if (first === undefined) continue;
    const { client } = transaction;
    await client.query('SAVEPOINT tenantctl_plan');
    const migrations = await tryPlan(
      context,
      transaction,
      tenantTarget(context.database.names, first.tenant, context),
      first.plan,
      direction,
    );
    await client.query('ROLLBACK TO SAVEPOINT tenantctl_plan');
    shown.push({
      scope: 'tenants',
      targets: tasks.map(({ tenant }) => ({ clerkOrgId: tenant.clerkOrgId, schema: tenant.schema })),
      shownOn: first.tenant.schema,
      migrations,
    });
  }
  return shown;
}

/** Runs a plan's migrations in order and records what they send, until one fails. */
async function tryPlan(
  context: RunContext,
  { client }: OpenTransaction,
  target: Target,
  plan: Plan,
  direction: Direction,
): Promise<RehearsedMigration[]> {
  const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
  const shown: RehearsedMigration[] = [];
  let leftOut: string | undefined;
  for (const migration of migrations) {
    const { name } = migration.file;
    if (!runsInTransaction(migration, direction)) {
      leftOut ??= name;
      shown.push(await outsideTransaction(migration, direction));
      continue;
    }
    const statements: string[] = [];
    const onStatement = (statement: SentStatement) =>
      statements.push(context.database.conceal(statementText(statement)));
    await client.query(`SAVEPOINT ${STEP}`);
    try {
      const stayed =
        target.scope === 'tenants' ? await watchSchema(context, client, target, STEP) : undefined;
      await client.query(giveControl(target).join(';\n'));
      await runAction(client, context, migration, { target, direction, onStatement });
      await stayed?.(migration);
      shown.push({ name, transaction: true, statements });
    } catch (error) {
      await client.query(`ROLLBACK TO SAVEPOINT ${STEP}`);
      const known = toTenantctlError(error).concealing(context.database.conceal);
      const note =
        leftOut === undefined
          ? undefined
          : `It failed here perhaps because ${leftOut}, which comes before it, was not run.`;
      shown.push({ name, transaction: true, statements, error: known, note });
      break;
    }
  }
  return shown;
}

async function outsideTransaction(migration: Migration, direction: Direction): Promise<RehearsedMigration> {
  const action = direction === 'up' ? migration.up : migration.down;
  const isSql = typeof action === 'string';
  const text = maskSecrets(action?.toString() ?? '');
  return {
    name: migration.file.name,
    transaction: false,
    statements: isSql ? [text] : [],
    note: `It runs outside a transaction, so it has not been tried: ${isSql ? 'this is its text.' : `read ${migration.file.path}.\n${text}`}`,
  };
}

/** A statement as text, followed by its bound values, each shortened. */
export function statementText({ text, values }: SentStatement): string {
  if (values.length === 0) return text;
  const shown = values.map((value, index) => {
    const json = value instanceof Date ? value.toISOString() : (JSON.stringify(value) ?? 'null');
    return `$${index + 1} = ${json.length > 80 ? `${json.slice(0, 79)}…` : json}`;
  });
  return `${text}  -- ${shown.join(', ')}`;
}

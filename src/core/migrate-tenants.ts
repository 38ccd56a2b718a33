import type { PoolClient } from 'pg';
import type { Database } from '../db/connection.ts';
import { TenantctlError } from '../errors.ts';
import { decideConcurrency } from './capacity.ts';
import { editedFiles, editedWarning, recordFiles } from './checksums.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { serveFleet, type Due, type Serve } from './fleet.ts';
import { planMaster } from './master.ts';
import { advance } from './migrations/advance.ts';
import type { History } from './migrations/history.ts';
import { planForward, type ForwardOptions, type Plan } from './migrations/plan.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from './migrations/source.ts';
import { tenantTarget } from './migrations/target.ts';
import { silent, type Observer } from './observer.ts';
import type { RegisteredTenant } from './registry.ts';
import { totalsOf, untouched, type FleetResult, type TenantResult } from './results.ts';
import { selectFleet, type Fleet, type Selection } from './select-fleet.ts';
import {
  ensureState,
  forgetFailure,
  readMemory,
  readStateVersion,
  recordFailure,
  type Memory,
} from './state.ts';
import { moveExtensions, sharedLocks } from './tenant-hygiene.ts';
import { ensureVectorExtension, type VectorExtensionMode } from './vector-extension.ts';

export interface MigrateTenantsOptions extends EngineOptions, Selection {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** The folder of the master migrations: pending ones there are refused. Not looked at where absent. */
  readonly masterFolder?: string | undefined;
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
  /** Transactions open at once; 4, or what the server has free, where absent. */
  readonly concurrency?: number | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
  /** An empty folder is an error, unless this is set. */
  readonly allowEmptyFolder?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

/** What is to be done to each tenant of a fleet. */
export interface FleetPlan {
  readonly due: readonly Due[];
  readonly upToDate: readonly RegisteredTenant[];
  /** Tenants to which nothing can be done, with the reason. */
  readonly problems: readonly { readonly tenant: RegisteredTenant; readonly error: TenantctlError }[];
  readonly warnings: readonly string[];
}

/**
 * Applies the pending tenant migrations to every ACTIVE tenant of the selection, on one pool of connections, each
 * tenant in a transaction of its own. At its end it looks for tenants that were provisioned in the meantime.
 * @throws TenantctlError for what keeps the run from beginning; a tenant's failure is in the result instead
 */
export async function migrateTenants(
  database: Database,
  options: MigrateTenantsOptions,
): Promise<FleetResult> {
  const started = Date.now();
  const observe = options.observe ?? silent;
  const engine = createEngine(database, options);
  const { folder, forward } = await readTenantFolder(options);
  const concurrency = await decideConcurrency(database, options.concurrency);
  const fleet = await selectFleet(database, options);
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, options);
  await ensureState(database);
  const edited = await editedFiles(database, 'tenants', folder);
  if (edited.length > 0) observe({ type: 'warning', message: editedWarning(edited) });

  const results = new Map<string, TenantResult>();
  let todo = fleet;
  for (;;) {
    const plan = planFleet(todo, (history) => planForward(folder, history, forward));
    for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
    observe({
      type: 'selected',
      total: todo.members.length + todo.withoutSchema.length,
      due: plan.due.length,
    });
    for (const result of await apply(engine, folder, plan, forward, { ...options, concurrency }))
      results.set(result.schema, result);
    for (const tenant of todo.notActive) {
      results.set(tenant.schema, untouched(tenant, 'skipped', { reason: `its status is ${tenant.status}` }));
    }
    if (options.signal?.aborted || plan.due.length === 0) break;
    // An old release may have provisioned tenants while this ran: they are behind, and nobody else will see to them.
    todo = await newcomers(database, options, results);
    if (todo.members.length === 0) break;
  }
  const tenants = [...results.values()];
  const interrupted =
    options.signal?.aborted === true && tenants.some((tenant) => tenant.outcome === 'skipped');
  return {
    totals: totalsOf(tenants),
    interrupted,
    durationMs: Date.now() - started,
    tenants,
    notActive: fleet.notActiveByStatus,
  };
}

async function newcomers(
  database: Database,
  options: MigrateTenantsOptions,
  results: ReadonlyMap<string, TenantResult>,
): Promise<Fleet> {
  const fleet = await selectFleet(database, options, (tenant) => !results.has(tenant.schema));
  return { ...fleet, notActive: [] };
}

async function apply(
  engine: Engine,
  folder: MigrationFolder,
  plan: FleetPlan,
  forward: ForwardOptions,
  options: MigrateTenantsOptions & { readonly concurrency: number },
): Promise<TenantResult[]> {
  const { database } = engine;
  const observe = options.observe ?? silent;
  const memory = await readMemory(database, await readStateVersion(database));
  const results = [
    ...plan.upToDate.map((tenant) => untouched(tenant, 'up-to-date')),
    ...plan.problems.map(({ tenant, error }) => untouched(tenant, 'failed', { error })),
  ];
  for (const { tenant, error } of plan.problems)
    await recordFailure(database, tenant.schema, 'migrate tenants', error);
  await forgetStaleFailures(database, plan.upToDate, memory);
  if (plan.due.length === 0) return results;

  const files = folder.files.filter((file) =>
    plan.due.some((due) => due.plan.steps.some((step) => step.file === file)),
  );
  await Promise.all(files.map((file) => engine.load(file)));
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);
  const served = await serveFleet(engine, plan.due, forwardServer(engine, folder, forward, memory, observe), {
    command: 'migrate tenants',
    outcome: 'migrated',
    concurrency: options.concurrency,
    observe,
  });
  const applied = new Set(served.flatMap((result) => result.names));
  await recordFiles(
    database,
    'tenants',
    files.filter((file) => applied.has(file.name)),
  );
  return [...results, ...served];
}

function forwardServer(
  engine: Engine,
  folder: MigrationFolder,
  forward: ForwardOptions,
  memory: Memory,
  observe: Observer,
): Serve {
  return async ({ tenant }, isPilot) => {
    let locksShared = false;
    const inspect = async (client: PoolClient) => {
      locksShared = (await sharedLocks(client)).length > 0;
      await moveExtensions(client, tenant.schema, observe);
    };
    const result = await advance(engine, tenantTarget(tenant), {
      direction: 'up',
      decide: (history) => planForward(folder, history, forward),
      statuses: ['ACTIVE'],
      beforeCommit: isPilot ? inspect : undefined,
      closing: memory.failures.has(tenant.schema) ? [forgetFailure(tenant.schema)] : [],
      hasState: true,
    });
    return { ...result, locksShared };
  };
}

/** Works out what is to be done to each tenant. Pure. */
export function planFleet(fleet: Fleet, decide: (history: History) => Plan): FleetPlan {
  const due: Due[] = [];
  const upToDate: RegisteredTenant[] = [];
  const problems: { tenant: RegisteredTenant; error: TenantctlError }[] = [];
  const warnings = new Set<string>();
  // Tenants with equal histories share one object, and so one plan.
  const plans = new Map<unknown, Plan>();
  for (const { tenant, history } of fleet.members) {
    let plan = plans.get(history.entries);
    if (plan === undefined) {
      plan = decide(history);
      plans.set(history.entries, plan);
    }
    for (const warning of plan.warnings) warnings.add(warning);
    if (plan.problem !== undefined)
      problems.push({ tenant, error: plan.problem.with({ tenant: tenant.clerkOrgId }) });
    else if (plan.steps.length > 0) due.push({ tenant, plan });
    else upToDate.push(tenant);
  }
  for (const tenant of fleet.withoutSchema) problems.push({ tenant, error: schemaMissing(tenant) });
  return { due, upToDate, problems, warnings: [...warnings] };
}

export function schemaMissing(tenant: RegisteredTenant): TenantctlError {
  return new TenantctlError(
    'SCHEMA_MISSING',
    `The schema ${tenant.schema} of "${tenant.clerkOrgId}" does not exist.`,
    {
      tenant: tenant.clerkOrgId,
      hint: `Restore it from a backup; or, where the tenant is gone for good, set its status: UPDATE public.tenants SET status = 'ARCHIVED' WHERE clerk_org_id = '${tenant.clerkOrgId.replaceAll("'", "''")}';`,
    },
  );
}

/** The folder of the tenant migrations and what the options ask of it. */
export async function readTenantFolder(
  options: Pick<
    MigrateTenantsOptions,
    'folder' | 'to' | 'allowEmptyFolder' | 'allowNewerHistory' | 'allowOutOfOrder'
  >,
): Promise<{ folder: MigrationFolder; forward: ForwardOptions }> {
  const folder = await readMigrationFolder(options.folder);
  if (folder.files.length === 0 && options.allowEmptyFolder !== true) {
    throw new TenantctlError(
      'MIGRATIONS_FOLDER_EMPTY',
      `There are no tenant migrations in ${folder.directory}.`,
      {
        hint: 'Make the first one: tenantctl make tenant <name>. Or is TENANT_MIGRATIONS_DIR another folder?',
      },
    );
  }
  return {
    folder,
    forward: {
      to: options.to === undefined ? undefined : findMigration(folder, options.to),
      allowNewerHistory: options.allowNewerHistory,
      allowOutOfOrder: options.allowOutOfOrder,
    },
  };
}

/** Tenants may depend on the shared tables, so these come first. @throws TenantctlError MASTER_PENDING */
export async function refusePendingMaster(
  database: Database,
  masterFolder: string,
  options: {
    readonly allowNewerHistory?: boolean | undefined;
    readonly allowOutOfOrder?: boolean | undefined;
  },
): Promise<void> {
  const { plan } = await planMaster(database, {
    folder: masterFolder,
    allowNewerHistory: options.allowNewerHistory,
    allowOutOfOrder: options.allowOutOfOrder,
  });
  if (plan.steps.length === 0) return;
  const names = plan.steps.map((step) => step.name);
  throw new TenantctlError(
    'MASTER_PENDING',
    `${names.length} master ${names.length === 1 ? 'migration is' : 'migrations are'} pending, and tenants may depend on them: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}.`,
    {
      migration: names[0],
      hint: 'Run tenantctl migrate master first, or tenantctl migrate all, which does both.',
    },
  );
}

/** A tenant that is up to date has no failure any more, whoever helped it. */
async function forgetStaleFailures(
  database: Database,
  upToDate: readonly RegisteredTenant[],
  memory: Memory,
): Promise<void> {
  const stale = upToDate
    .filter((tenant) => memory.failures.has(tenant.schema))
    .map((tenant) => tenant.schema);
  if (stale.length === 0) return;
  await database.query('DELETE FROM tenantctl.tenant_failures WHERE schema_name = ANY ($1)', [stale]);
}

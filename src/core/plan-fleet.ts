import type { Database } from '../db/connection.ts';
import { TenantctlError } from '../errors.ts';
import type { Due } from './fleet-work.ts';
import { planMaster } from './master.ts';
import type { MigrateTenantsOptions } from './migrate-tenants.ts';
import type { History } from './migrations/history.ts';
import type { ForwardOptions, Plan } from './migrations/plan.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from './migrations/source.ts';
import type { RegisteredTenant } from './registry.ts';
import type { Fleet, Member } from './select-fleet.ts';

/** What is to be done to each tenant of a fleet. */
export interface FleetPlan {
  readonly due: readonly Due[];
  /** Tenants with nothing to be done, as far as they were looked at one by one. */
  readonly upToDate: readonly Member[];
  /** Tenants with nothing to be done that were not looked at one by one. */
  readonly settled: number;
  /** Tenants to which nothing can be done, with the reason. */
  readonly problems: readonly { readonly tenant: RegisteredTenant; readonly error: TenantctlError }[];
  readonly warnings: readonly string[];
}

/**
 * Works out what is to be done to each tenant. Pure.
 * @param kindOf tenants of one kind, with equal histories, have one plan; all are of one kind where absent
 */
export function planFleet<Kind = undefined>(
  fleet: Fleet,
  decide: (history: History, kind?: Kind) => Plan,
  kindOf?: (tenant: RegisteredTenant) => Kind,
): FleetPlan {
  const due: Due[] = [];
  const upToDate: Member[] = [];
  const problems: { tenant: RegisteredTenant; error: TenantctlError }[] = [];
  const warnings = new Set<string>();
  // Tenants with equal histories share one object, and so one plan.
  const plansOfKind = new Map<Kind | undefined, Map<unknown, Plan>>();
  for (const history of fleet.settledHistories) {
    for (const warning of decide(history).warnings) warnings.add(warning);
  }
  for (const member of fleet.members) {
    const { tenant, history } = member;
    const kind = kindOf?.(tenant);
    const plans = plansOfKind.get(kind) ?? new Map<unknown, Plan>();
    plansOfKind.set(kind, plans);
    let plan = plans.get(history.entries);
    if (plan === undefined) {
      plan = decide(history, kind);
      plans.set(history.entries, plan);
    }
    for (const warning of plan.warnings) warnings.add(warning);
    if (plan.problem !== undefined)
      problems.push({ tenant, error: plan.problem.with({ tenant: tenant.clerkOrgId }) });
    else if (plan.steps.length > 0) due.push({ tenant, history, plan });
    else upToDate.push(member);
  }
  for (const tenant of fleet.withoutSchema) problems.push({ tenant, error: schemaMissing(tenant) });
  return { due, upToDate, settled: fleet.settled, problems, warnings: [...warnings] };
}

/** The migrations that a plan holds for any tenant, in their order. Pure. */
export function namesDue({ due }: Pick<FleetPlan, 'due'>): string[] {
  return [
    ...new Set(
      [...new Set(due.map(({ plan }) => plan))].flatMap(({ steps }) => steps.map(({ name }) => name)),
    ),
  ];
}

/** A decision that leaves tenants as they are, so that they need not be looked at one by one. Pure. */
export function isNothing(plan: Plan): boolean {
  return plan.problem === undefined && plan.steps.length === 0;
}

export function schemaMissing(tenant: RegisteredTenant): TenantctlError {
  if (tenant.schema === '') {
    return new TenantctlError(
      'SCHEMA_MISSING',
      `The row of "${tenant.clerkOrgId}" in public.tenants names no schema.`,
      {
        tenant: tenant.clerkOrgId,
        hint: 'Put its schema_name right, or delete the row.',
      },
    );
  }
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

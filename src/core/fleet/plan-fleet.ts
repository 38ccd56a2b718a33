import { tenantAmbiguous } from '../state/tenant-ids.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import type { History, HistoryEntry } from '../target/history.ts';
import type { Plan, Step } from '../plan/plan.ts';
import { provisionCommand, tenantCommand } from '../registry/not-active.ts';
import { refusedSchema } from '../registry/registration-errors.ts';
import { UNFINISHED } from '../registry/transitions.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { Fleet, RefusedTenant } from './select-fleet.ts';
import { behindFleet } from './ahead.ts';
import type { Member } from './member.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';
import { interrupted } from '../state/interrupted.ts';
import { readRoles } from '../roles/role-facts.ts';
import { reasonAgainstOwner } from '../roles/role-readiness.ts';
import type { RunOptions } from '../run/run-context.ts';
import type { Database } from '../../db/database.ts';

export interface FleetPlan {
  /** Tenants with something to do; those that a check has refused are due even without pending migrations. */
  readonly due: readonly MigrationTask[];
  /** Other tenants with nothing to do that were loaded individually. */
  readonly upToDate: readonly Member[];
  /** Tenants with nothing to do that lack migrations which other tenants have. */
  readonly behind: readonly (Member & RefusedTenant)[];
  /** The number of tenants with nothing to do that were not loaded individually. */
  readonly settled: number;
  /** Tenants that cannot be migrated, with the reason. */
  readonly problems: readonly RefusedTenant[];
  readonly warnings: readonly string[];
}

/**
 * @param decide shares plans (`sharing` in src/core/plan): tenants with equal histories have one plan
 * @param refusals the checks that have refused tenants, by schema
 */
export function planFleet(
  fleet: Fleet,
  decide: (history: History, tenant?: Member['tenant']) => Plan,
  refusals: ReadonlyMap<string, TenantctlError> = new Map(),
): FleetPlan {
  const due: MigrationTask[] = [];
  const upToDate: Member[] = [];
  const behind: (Member & RefusedTenant)[] = [];
  const problems: RefusedTenant[] = [];
  const late = new Map<string, readonly string[]>();
  const { ambiguous, intents, verbs } = fleet.scope.memory;
  const warnings = new Set(fleet.settledHistories.flatMap((history) => decide(history).warnings));
  if (fleet.gone > 0)
    warnings.add(`${counted(fleet.gone, 'tenant', 'is')} not retried: no longer in the registry.`);
  for (const member of fleet.members) {
    const { tenant, history } = member;
    const plan = decide(history, tenant);
    const intent = intents.get(tenant.schema);
    const verb = verbs.get(tenant.schema);
    for (const warning of plan.warnings) warnings.add(warning);
    if (plan.lacks !== undefined) late.set(tenant.clerkOrgId, plan.lacks);
    if (verb !== undefined) problems.push({ tenant, error: tenantUnfinished(verb) });
    else if (tenant.isAmbiguous)
      problems.push({ tenant, error: tenantAmbiguous(tenant, ambiguous.get(tenant.schema)) });
    else if (plan.problem !== undefined)
      problems.push({ tenant, error: plan.problem.with({ tenant: tenant.clerkOrgId }) });
    else if (plan.steps.length > 0) due.push({ tenant, history, plan });
    else if (intent !== undefined) problems.push({ tenant, error: interrupted(tenant, intent) });
    else if (refusals.has(tenant.schema)) due.push({ tenant, history, plan });
    else if (plan.lacks === undefined) upToDate.push(member);
    else behind.push({ ...member, error: tenantBehind(tenant, plan.lacks) });
  }
  for (const tenant of fleet.withoutSchema) {
    const verb = verbs.get(tenant.schema);
    problems.push({ tenant, error: verb === undefined ? schemaMissing(tenant) : tenantUnfinished(verb) });
  }
  if (late.size > 0) warnings.add(behindFleet([...late.keys()], [...new Set([...late.values()].flat())]));
  return { due, upToDate, behind, settled: fleet.settled, problems, warnings: [...warnings] };
}

function tenantBehind({ clerkOrgId: tenant }: RegisteredTenant, lacks: readonly string[]): TenantctlError {
  const hint = 'If the older one is meant to run: tenantctl migrate all --allow-newer-history.';
  return new TenantctlError('HISTORY_NEWER', behindFleet([tenant], lacks), { tenant, hint });
}

/** Moves tenants whose migrations cannot run as the schema's owner to the problems, in one query. */
export async function refuseOwners(
  database: Database,
  plan: FleetPlan,
  { tenantRole }: Pick<RunOptions, 'tenantRole'>,
): Promise<FleetPlan> {
  if (tenantRole === undefined || plan.due.length === 0) return plan;
  const roles = await readRoles(database, [...new Set(plan.due.flatMap(({ tenant }) => tenant.owner ?? []))]);
  const due: MigrationTask[] = [];
  const problems = [...plan.problems];
  for (const task of plan.due) {
    const { tenant } = task;
    const error = reasonAgainstOwner(tenant.owner ?? '', tenant.schema, roles);
    if (error === undefined) due.push(task);
    else problems.push({ tenant, error: error.with({ tenant: tenant.clerkOrgId }) });
  }
  return { ...plan, due, problems };
}

/** The results of tenants that have nothing to do, or cannot be migrated. */
export function resultsOfIdle({ upToDate, problems }: FleetPlan): TenantResult[] {
  return [
    ...upToDate.map(({ tenant }) => untouched(tenant, 'up-to-date')),
    ...problems.map(({ tenant, error }) => untouched(tenant, 'failed', { error })),
  ];
}

export function resultsOfNotActive({ notActive }: Pick<Fleet, 'notActive'>): TenantResult[] {
  return notActive.map(({ tenant, error }) =>
    untouched(tenant, 'skipped', {
      reason: error.code === 'TENANT_UNFINISHED' ? 'a verb has not ended' : `its status is ${tenant.status}`,
      error,
    }),
  );
}

export function stepsDue({ due }: Pick<FleetPlan, 'due'>): Step[] {
  const plans = new Set(due.map(({ plan }) => plan));
  const steps = [...plans].flatMap((plan) => plan.steps);
  return [...new Map(steps.map((step) => [step.name, step])).values()];
}

/** True if a plan leaves tenants unchanged, so that they need not be loaded individually. */
export function isNothing(plan: Plan): boolean {
  return plan.problem === undefined && plan.steps.length === 0 && plan.lacks === undefined;
}

/** Why a tenant without a usable schema has none. */
export function schemaMissing(registered: RegisteredTenant): TenantctlError {
  const { clerkOrgId: tenant, schema, status } = registered;
  if (schema === '')
    return new TenantctlError(
      'SCHEMA_MISSING',
      `The row of "${tenant}" in the registry has no schema name.`,
      {
        tenant,
        hint: 'Correct its schema name, or delete the row.',
      },
    );
  const refused = refusedSchema(registered);
  if (refused !== undefined) return refused;
  return new TenantctlError('SCHEMA_MISSING', `The schema ${schema} of "${tenant}" does not exist.`, {
    tenant,
    hint: wayBack(tenant, status),
  });
}

function wayBack(tenant: string, status: string): string {
  if (status === 'ARCHIVED')
    return `It is ARCHIVED. To bring it back: ${tenantCommand('unarchive', [tenant])}`;
  return UNFINISHED.some((word) => word === status)
    ? `Its provisioning has not ended. This completes it: ${provisionCommand([tenant])}`
    : 'Restore it from a backup. If there is none, tenantctl doctor shows how to start over, or to take the tenant out of use.';
}

export interface MigrationTask {
  readonly tenant: RegisteredTenant;
  readonly history: History;
  readonly plan: Plan;
  /** This run has registered the tenant: nothing is remembered of it. */
  readonly isNew?: boolean | undefined;
  /** Present if the plan covers only part of this run's work on the tenant. */
  readonly part?: Part | undefined;
}

/** The position of a part in the tenant's whole plan. */
export interface Part {
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** The migrations of the whole plan. */
  readonly planned: readonly string[];
  /** An earlier part has created the schema. */
  readonly isCreated: boolean;
  /** The history after this part and after each later one. */
  readonly states: readonly (readonly HistoryEntry[])[];
}

/** Tenants with the same key have the same steps. */
export function planKey(plan: Plan): string {
  return plan.steps.map((step) => step.name).join('\n');
}

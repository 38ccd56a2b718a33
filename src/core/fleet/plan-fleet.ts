import { TenantctlError } from '../../errors.ts';
import type { History, HistoryEntry } from '../target/history.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { Fleet } from './select-fleet.ts';
import type { Member } from './member.ts';
import { readRoles } from '../roles/role-facts.ts';
import { reasonAgainstOwner } from '../roles/role-readiness.ts';
import type { RunOptions } from '../run/run-context.ts';
import type { Database } from '../../db/database.ts';

/** What is to be done to each tenant of a fleet. */
export interface FleetPlan {
  readonly due: readonly MigrationTask[];
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
 * @param decide shares plans (`sharing` in src/core/plan): tenants with equal histories have one plan
 */
export function planFleet(
  fleet: Fleet,
  decide: (history: History, tenant?: RegisteredTenant) => Plan,
): FleetPlan {
  const due: MigrationTask[] = [];
  const upToDate: Member[] = [];
  const problems: { tenant: RegisteredTenant; error: TenantctlError }[] = [];
  const warnings = new Set(fleet.settledHistories.flatMap((history) => decide(history).warnings));
  for (const member of fleet.members) {
    const { tenant, history } = member;
    const plan = decide(history, tenant);
    for (const warning of plan.warnings) warnings.add(warning);
    if (plan.problem !== undefined)
      problems.push({ tenant, error: plan.problem.with({ tenant: tenant.clerkOrgId }) });
    else if (plan.steps.length > 0) due.push({ tenant, history, plan });
    else upToDate.push(member);
  }
  for (const tenant of fleet.withoutSchema) problems.push({ tenant, error: schemaMissing(tenant) });
  return { due, upToDate, settled: fleet.settled, problems, warnings: [...warnings] };
}

/**
 * With a tenantRole: moves tenants whose migrations cannot run as the owner of their schema to the problems. One query,
 * whatever the number of tenants.
 */
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

/** The steps that a plan holds for any tenant, each once, in their order. Pure. */
export function stepsDue({ due }: Pick<FleetPlan, 'due'>): Step[] {
  const plans = new Set(due.map(({ plan }) => plan));
  const steps = [...plans].flatMap((plan) => plan.steps);
  return [...new Map(steps.map((step) => [step.name, step])).values()];
}

/** A decision that leaves tenants as they are, so that they need not be looked at one by one. Pure. */
export function isNothing(plan: Plan): boolean {
  return plan.problem === undefined && plan.steps.length === 0;
}

export function schemaMissing({ clerkOrgId: tenant, schema }: RegisteredTenant): TenantctlError {
  if (schema === '')
    return new TenantctlError('SCHEMA_MISSING', `The row of "${tenant}" in the registry names no schema.`, {
      tenant,
      hint: 'Correct its schema name, or delete the row.',
    });
  return new TenantctlError('SCHEMA_MISSING', `The schema ${schema} of "${tenant}" does not exist.`, {
    tenant,
    hint: 'Restore it from a backup. If there is none, tenantctl doctor shows how to begin anew or to archive the tenant.',
  });
}

/** A tenant and what is to be done to it. */
export interface MigrationTask {
  readonly tenant: RegisteredTenant;
  /** The history that the plan was made for. */
  readonly history: History;
  readonly plan: Plan;
  /** Present if the plan is only a part of what this run does to the tenant. */
  readonly part?: Part | undefined;
}

/** Where a part stands in what a tenant is due. */
export interface Part {
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** What the tenant's history holds after this part, and after each later one. */
  readonly states: readonly (readonly HistoryEntry[])[];
}

/** Tenants with the same key have the same to be done. */
export function planKey(plan: Plan): string {
  return plan.steps.map((step) => step.name).join('\n');
}

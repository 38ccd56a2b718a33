import type { RunOptions } from '../run/run-context.ts';
import type { FleetPlan } from './plan-fleet.ts';
import { readRoles } from '../roles/role-facts.ts';
import { reasonAgainstOwner } from '../roles/role-readiness.ts';
import type { Database } from '../../db/database.ts';

/**
 * With a tenantRole, a plan without the tenants whose migrations cannot run as the owner of their schema: those are
 * problems of it. One query, whatever the number of tenants.
 */
export async function refuseOwners(
  database: Database,
  plan: FleetPlan,
  { tenantRole }: Pick<RunOptions, 'tenantRole'>,
): Promise<FleetPlan> {
  if (tenantRole === undefined || plan.due.length === 0) return plan;
  const roles = await readRoles(database, [...new Set(plan.due.flatMap(({ tenant }) => tenant.owner ?? []))]);
  const problems = plan.due.flatMap(({ tenant }) => {
    const error = reasonAgainstOwner(tenant.owner ?? '', tenant.schema, roles);
    return error === undefined ? [] : [{ tenant, error: error.with({ tenant: tenant.clerkOrgId }) }];
  });
  if (problems.length === 0) return plan;
  const refused = new Set(problems.map(({ tenant }) => tenant));
  return {
    ...plan,
    due: plan.due.filter(({ tenant }) => !refused.has(tenant)),
    problems: [...plan.problems, ...problems],
  };
}

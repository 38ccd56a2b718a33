import { planner } from '../plan/plan.ts';
import { classOf } from '../fleet/class-of.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { failed, ok, skipped, warning, type Verdict } from './check.ts';
import type { TenantView } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

/** The check of the tenants' histories against the folder. */
export function tenantHistories({ members, memory, tenantFolder }: TenantView): Verdict {
  if (tenantFolder === undefined) return skipped('the tenant folder cannot be read');
  const decide = planner(tenantFolder);
  const active = members
    .filter(({ tenant }) => tenant.status === 'ACTIVE')
    .map(({ tenant, history }) => {
      const plan = decide(history);
      return { ...tenant, class: classOf({ ...tenant, plan }), problem: plan.problem };
    });
  const having = (name: string) =>
    active.filter((tenant) => tenant.class === name && tenant.problem === undefined);
  const disagreeing = Map.groupBy(active, ({ problem }) => problem?.message);
  disagreeing.delete(undefined);
  const failing = having('failed').map(
    ({ clerkOrgId, schema }) => `${clerkOrgId} (${memory.failures.get(schema)?.error.message})`,
  );
  const behind = having('behind');
  const findings = [
    ...[...disagreeing].map(([message, tenants]) => `${idsOf(tenants)}: ${message}`),
    ...(failing.length === 0 ? [] : [`failed in the last run: ${listed(failing)}`]),
    ...(behind.length === 0 ? [] : [`behind: ${idsOf(behind)}`]),
  ].join('; ');
  const problems = active.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) {
    const hints = new Set(problems.map(({ hint }) => hint ?? 'tenantctl status has details.'));
    return failed(findings, [...hints].join('\n'), problems[0]?.code);
  }
  if (findings !== '') return warning(findings, 'tenantctl migrate tenants');
  if (active.length === 0) return ok('there are no ACTIVE tenants');
  const upToDate = having('upToDate').length;
  const total = counted(active.length, 'ACTIVE tenant');
  return upToDate === active.length
    ? ok(`${total}, all up to date`)
    : ok(`${upToDate} of ${total} up to date, the others interrupted`);
}

function idsOf(tenants: readonly RegisteredTenant[]): string {
  return listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
}

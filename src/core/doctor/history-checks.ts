import { createHistoryTables } from '../target/history.ts';
import { recordAsApplied } from '../target/write-history.ts';
import { masterTarget } from '../target/target.ts';
import { planForward, planner } from '../plan/plan.ts';
import { newerThan } from '../fleet/ahead.ts';
import { classOf } from '../fleet/class-of.ts';
import { isInit } from '../files/scaffold.ts';
import { stemOf } from '../files/source.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { isDefaultRegistry } from '../registry/registry-shape.ts';
import { failed, ok, refused, skipped, warning, type Verdict } from './check.ts';
import { isOwn } from './knex-checks.ts';
import type { RegistryView, TenantView } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

const ELSEWHERE = 'Knex has recorded them under another name: see "Histories of Knex"';

export function masterHistory(view: RegistryView): Verdict {
  const { names, shape, master, masterHistory: history } = view;
  if (master === undefined) return skipped('the master folder cannot be read');
  if (
    history.entries.length === 0 &&
    view.adoption.histories.some((other) => other.inPublic && isOwn(other, view))
  )
    return skipped(ELSEWHERE);
  const applied = new Set(history.entries.map(({ name }) => stemOf(name)));
  const init = master.files.find(({ name, stem }) => isInit(name) && !applied.has(stem));
  if (shape !== undefined && init !== undefined && isDefaultRegistry(names)) {
    // The migration that creates the registry would fail.
    return warning(
      `the registry exists, and the history does not say that ${init.name} has been applied`,
      `${createHistoryTables('public', names.masterHistory).join(';\n')};\n${recordAsApplied(masterTarget(names), init.name)};`,
    );
  }
  const { problem, steps } = planForward(master, history);
  if (problem !== undefined) return refused(problem);
  if (steps.length === 0) return ok(`${counted(history.entries.length, 'migration')} applied, none pending`);
  return warning(
    `${counted(steps.length, 'migration')} pending: ${listed(steps.map(({ name }) => name))}`,
    'tenantctl migrate master',
  );
}

export function tenantHistories(view: TenantView): Verdict {
  const { members, memory, tenantFolder } = view;
  if (tenantFolder === undefined) return skipped('the tenant folder cannot be read');
  const isNew = members.every(({ history }) => history.entries.length === 0);
  if (isNew && view.adoption.histories.some((other) => !other.inPublic && isOwn(other, view)))
    return skipped(ELSEWHERE);
  const activeMembers = members.filter(({ tenant }) => tenant.status === 'ACTIVE');
  // Tenants share equal histories.
  const histories = [...new Set(activeMembers.map(({ history }) => history.entries))];
  const decide = planner(tenantFolder, { ahead: newerThan(tenantFolder, histories.flat()) });
  const active = activeMembers.map(({ tenant, history }) => {
    const plan = decide(history);
    return { ...tenant, class: classOf({ ...tenant, plan }), problem: plan.problem };
  });
  const having = (name: string) =>
    active.filter((tenant) => tenant.class === name && tenant.problem === undefined);
  const disagreeing = Map.groupBy(active, ({ problem }) => problem?.message);
  disagreeing.delete(undefined);
  const reasons = Map.groupBy(having('failed'), ({ schema }) => memory.failures.get(schema)?.error.message);
  const failing = [...reasons].map(([message, tenants]) => `${idsOf(tenants)} (${message})`);
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
  const isRefused = active.some(({ schema }) => memory.failures.get(schema)?.error.code === 'CHECK_REFUSED');
  if (findings !== '')
    return warning(findings, `tenantctl migrate tenants${isRefused ? ' --check <file.sql>' : ''}`);
  if (active.length === 0) return ok('there are no ACTIVE tenants');
  const upToDate = having('upToDate').length;
  const total = counted(active.length, 'ACTIVE tenant');
  return upToDate === active.length
    ? ok(`${total}, all up to date`)
    : ok(`${upToDate} of ${total} up to date, the others broken`);
}

function idsOf(tenants: readonly RegisteredTenant[]): string {
  return listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
}

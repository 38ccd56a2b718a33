import { createHistoryTables, EMPTY_HISTORY, MASTER_HISTORY, type History } from '../target/history.ts';
import { planForward, type Plan } from '../plan/plan.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { failed, ok, skipped, warning, type Check, type CheckId } from './check.ts';
import type { FleetFacts } from './fleet-facts.ts';
import { recordAsApplied } from '../target/record.ts';
import { MASTER_TARGET } from '../target/target.ts';
import { isInit } from './registry-checks.ts';
import type { RegistryFacts } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

export const HISTORIES: readonly CheckId[] = ['master-history', 'tenant-histories'];

/** Decides whether the histories and the folders fit together. Pure. */
export function historyChecks(
  facts: RegistryFacts,
  master: MigrationFolder | undefined,
  tenants: MigrationFolder | undefined,
): Check[] {
  return [
    master === undefined
      ? skipped('master-history', 'the master folder cannot be read')
      : masterCheck(facts, master),
    facts.fleet === undefined
      ? skipped('tenant-histories', 'there is no registry to go by')
      : tenants === undefined
        ? skipped('tenant-histories', 'the tenant folder cannot be read')
        : tenantsCheck(facts.fleet, tenants),
  ];
}

function masterCheck(facts: RegistryFacts, folder: MigrationFolder): Check {
  const id = 'master-history';
  const { masterHistory: history } = facts;
  const applied = new Set(history.entries.map(({ name }) => stemOf(name)));
  const init = folder.files.find(({ stem }) => isInit(stem) && !applied.has(stem));
  if (facts.columns !== undefined && init !== undefined) {
    // Another tool made the registry: applying the migration that creates it would fail.
    return warning(
      id,
      `the registry exists, and the history does not say that ${init.name} has been applied`,
      `${createHistoryTables('public', MASTER_HISTORY).join(';\n')};\n${recordAsApplied(MASTER_TARGET, init.name)};`,
    );
  }
  const { problem, steps } = planForward(folder, history);
  if (problem !== undefined) return failed(id, problem.message, hintOf(problem), problem.code);
  if (steps.length > 0) {
    return warning(
      id,
      `${counted(steps.length, 'migration')} pending: ${listed(steps.map(({ name }) => name))}`,
      'tenantctl migrate master',
    );
  }
  return ok(id, `${counted(history.entries.length, 'migration')} applied, none pending`);
}

function tenantsCheck(fleet: FleetFacts, folder: MigrationFolder): Check {
  const id = 'tenant-histories';
  const active = fleet.tenants.filter(
    ({ status, hasSchema, schema }) => status === 'ACTIVE' && hasSchema && fleet.histories.has(schema),
  );
  const plan = planner(folder, fleet);
  const disagreeing = active.filter((tenant) => plan(tenant).problem !== undefined);
  const behind = active.filter((tenant) => plan(tenant).steps.length > 0);
  const behindText = behindDetail(behind, fleet);
  if (disagreeing.length > 0) {
    const problems = Map.groupBy(disagreeing, (tenant) => plan(tenant).problem?.message ?? '');
    const detail = [...problems].map(([message, who]) => `${names(who)}: ${message}`);
    const hints = new Set(disagreeing.map((tenant) => hintOf(plan(tenant).problem)));
    const code = disagreeing[0] && plan(disagreeing[0]).problem?.code;
    return failed(
      id,
      [...detail, ...(behind.length > 0 ? [behindText] : [])].join('; '),
      [...hints].join('\n'),
      code,
    );
  }
  if (behind.length > 0) return warning(id, behindText, 'tenantctl migrate tenants');
  return ok(
    id,
    active.length === 0
      ? 'there are no ACTIVE tenants'
      : `${counted(active.length, 'ACTIVE tenant')}, all up to date`,
  );
}

/** Tenants with equal histories share one object, and so one plan. */
function planner(folder: MigrationFolder, fleet: FleetFacts): (tenant: RegisteredTenant) => Plan {
  const plans = new Map<History['entries'], Plan>();
  return ({ schema }) => {
    const history = fleet.histories.get(schema) ?? EMPTY_HISTORY;
    let plan = plans.get(history.entries);
    if (plan === undefined) {
      plan = planForward(folder, history);
      plans.set(history.entries, plan);
    }
    return plan;
  };
}

function behindDetail(behind: readonly RegisteredTenant[], fleet: FleetFacts): string {
  const failures = behind.flatMap(({ clerkOrgId, schema }) => {
    const failure = fleet.failures.get(schema);
    return failure === undefined ? [] : [`${clerkOrgId}: ${failure.error.message}`];
  });
  const last =
    failures.length > 0 ? `; the last run failed for ${failures.length} of them (${failures[0]})` : '';
  return `behind: ${names(behind)}${last}`;
}

function names(tenants: readonly RegisteredTenant[]): string {
  return listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
}

function hintOf(problem: Plan['problem']): string {
  return problem?.hint ?? 'tenantctl status tells more.';
}

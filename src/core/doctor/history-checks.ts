import { createHistoryTables, EMPTY_HISTORY } from '../target/history.ts';
import { planForward, type Plan, planner } from '../plan/plan.ts';
import { classOf } from '../fleet/class-of.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { failed, ok, skipped, warning, type Check, type CheckId } from './check.ts';
import type { FleetFacts } from './fleet-facts.ts';
import { recordAsApplied } from '../target/record.ts';
import { masterTarget } from '../target/target.ts';
import { isDefaultRegistry } from '../registry/registry-shape.ts';
import { isInit } from './registry-checks.ts';
import type { RegistryFacts } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

export const HISTORIES: readonly CheckId[] = ['master-history', 'tenant-histories'];

/** The checks of the histories against the folders. Pure. */
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
        : tenantsCheck(facts.fleet, facts.intents, tenants),
  ];
}

function masterCheck(facts: RegistryFacts, folder: MigrationFolder): Check {
  const id = 'master-history';
  const { masterHistory: history } = facts;
  const applied = new Set(history.entries.map(({ name }) => stemOf(name)));
  const init = isDefaultRegistry(facts.names)
    ? folder.files.find(({ stem }) => isInit(stem) && !applied.has(stem))
    : undefined;
  if (facts.shape !== undefined && init !== undefined) {
    // Another tool created the registry: the migration that creates it would fail.
    return warning(
      id,
      `the registry exists, and the history does not say that ${init.name} has been applied`,
      `${createHistoryTables('public', facts.names.masterHistory).join(';\n')};\n${recordAsApplied(masterTarget(facts.names), init.name)};`,
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

function tenantsCheck(fleet: FleetFacts, intents: RegistryFacts['intents'], folder: MigrationFolder): Check {
  const id = 'tenant-histories';
  const decide = planner(folder);
  const interrupted = new Set(intents.map(({ schema }) => schema));
  const active = fleet.tenants
    .filter(
      ({ status, hasSchema, schema }) => status === 'ACTIVE' && hasSchema && fleet.histories.has(schema),
    )
    .map((tenant) => {
      const { schema } = tenant;
      const plan = decide(fleet.histories.get(schema) ?? EMPTY_HISTORY);
      const failure = fleet.memory.failures.get(schema);
      const recorded = {
        hasFailed: failure !== undefined,
        isInterrupted: interrupted.has(schema),
        isAmbiguous: fleet.memory.ambiguous.has(schema),
      };
      const of = classOf({ ...tenant, ...recorded, namesSchema: true, plan });
      return { ...tenant, class: of, problem: plan.problem, failure };
    });
  const disagreeing = active.filter(({ problem }) => problem !== undefined);
  const failing = active.filter((tenant) => tenant.class === 'failed' && tenant.problem === undefined);
  const behind = active.filter((tenant) => tenant.class === 'behind');
  const upToDate = active.filter((tenant) => tenant.class === 'upToDate');
  const findings = [
    ...[...Map.groupBy(disagreeing, ({ problem }) => problem?.message ?? '')].map(
      ([message, who]) => `${names(who)}: ${message}`,
    ),
    ...(failing.length === 0
      ? []
      : [
          `failed in the last run: ${listed(failing.map(({ clerkOrgId, failure }) => `${clerkOrgId} (${failure?.error.message})`))}`,
        ]),
    ...(behind.length === 0 ? [] : [`behind: ${names(behind)}`]),
  ].join('; ');
  if (disagreeing.length > 0) {
    const hints = new Set(disagreeing.map(({ problem }) => hintOf(problem)));
    return failed(id, findings, [...hints].join('\n'), disagreeing[0]?.problem?.code);
  }
  if (findings !== '') return warning(id, findings, 'tenantctl migrate tenants');
  if (active.length === 0) return ok(id, 'there are no ACTIVE tenants');
  return upToDate.length === active.length
    ? ok(id, `${counted(active.length, 'ACTIVE tenant')}, all up to date`)
    : ok(
        id,
        `${upToDate.length} of ${counted(active.length, 'ACTIVE tenant')} up to date, the others interrupted`,
      );
}

function names(tenants: readonly RegisteredTenant[]): string {
  return listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
}

function hintOf(problem: Plan['problem']): string {
  return problem?.hint ?? 'tenantctl status tells more.';
}

import { messageOf } from '../../errors.ts';
import { countIn, readGroups, readMembers, type Scope, type TenantGroup } from './fleet-facts.ts';
import { EMPTY_HISTORY, readHistories, type History } from '../target/history.ts';
import type { Plan } from '../plan/plan.ts';
import type { Observer } from '../report/event.ts';
import { findTenants } from '../registry/registry.ts';
import type { FleetPlan } from './plan-fleet.ts';
import { historyOf, knownHistories, type Fleet, type Selection } from './select-fleet.ts';
import type { Standing } from '../report/results.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/**
 * Reads how tenants stand: one query over registry, catalog and stamps, one over what is remembered; histories are read
 * only of tenants without a stamp. Undefined, with a warning, where that fails.
 * @param decide pure: what a migration forward would do to a tenant with this history
 */
export async function readStanding(
  database: Database,
  selection: Selection,
  decide: (history: History) => Plan,
  observe: Observer,
): Promise<Standing | undefined> {
  try {
    return await countStanding(database, selection, decide);
  } catch (error) {
    // Where the server has gone, what became of each tenant is still to be told.
    observe({ type: 'warning', message: `How the fleet stands was not read: ${messageOf(error)}` });
    return undefined;
  }
}

async function countStanding(
  database: Database,
  selection: Selection,
  decide: (history: History) => Plan,
): Promise<Standing> {
  const isNamed = selection.tenants !== undefined && selection.tenants.length > 0;
  const only = isNamed ? await findTenants(database, selection.tenants) : undefined;
  const scope: Scope = { stateVersion: await readStateVersion(database), only };
  const groups = await readGroups(database, scope);
  const known = await knownHistories(database, scope);
  const counts = { upToDate: 0, behind: 0 };
  const add = (history: History, count: number) => {
    const { problem, steps } = decide(history);
    if (problem === undefined) counts[steps.length === 0 ? 'upToDate' : 'behind'] += count;
  };
  const isUnread = (group: TenantGroup) =>
    group.status === 'ACTIVE' && group.hasSchema && historyOf(group, known) === undefined;
  for (const group of groups) {
    const history = historyOf(group, known);
    if (group.status === 'ACTIVE' && group.hasSchema && history !== undefined) add(history, group.count);
  }
  for await (const page of readMembers(database, scope, groups, (group) => !isUnread(group))) {
    const unread = page.filter((tenant) => isUnread({ ...tenant, key: '', isNoted: false, count: 1 }));
    const histories = await readHistories(
      database,
      unread.map(({ tables }) => tables),
      { knexLock: false },
    );
    for (const { schema } of unread) add(histories.get(schema) ?? EMPTY_HISTORY, 1);
  }
  return { total: countIn(groups), ...counts, failed: await countFailed(database, scope) };
}

/** How tenants stand that nothing was done to, as they were found. Pure. */
export function standingOf(fleet: Fleet, plan: FleetPlan, selection: Selection): Standing {
  const isNamed = selection.tenants !== undefined && selection.tenants.length > 0;
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const notActive = isNamed ? fleet.notActive.length : sum(Object.values(fleet.notActiveByStatus));
  const notMade = isNamed
    ? fleet.notActive.filter(({ status }) => status === 'FAILED').length
    : (fleet.notActiveByStatus.FAILED ?? 0);
  return {
    total: fleet.settled + fleet.members.length + fleet.withoutSchema.length + notActive,
    upToDate: plan.settled + plan.upToDate.length,
    behind: 0,
    // What cannot be planned is recorded as a failure; who is up to date has none any more.
    failed: plan.problems.length + notMade,
  };
}

async function countFailed(database: Database, { stateVersion, only }: Scope): Promise<number> {
  const noted =
    stateVersion === 0
      ? ''
      : 'OR EXISTS (SELECT FROM tenantctl.tenant_failures f WHERE f.schema_name = t.schema_name)';
  const { rows } = await database.query<{ failed: number }>(
    `SELECT count(*)::int AS failed FROM public.tenants t
     WHERE (t.status::text = 'FAILED' ${noted}) AND ($1::text[] IS NULL OR t.schema_name = ANY ($1::text[]))`,
    [only?.map(({ schema }) => schema) ?? null],
  );
  return rows[0]?.failed ?? 0;
}

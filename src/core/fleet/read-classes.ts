import type { Database } from '../../db/database.ts';
import { messageOf } from '../../errors.ts';
import { conjugated, counted } from '../../wording.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { ForwardOptions } from '../plan/plan.ts';
import { countClasses, type ClassCounts } from '../report/class-counts.ts';
import type { Observer } from '../report/event.ts';
import type { FleetResult } from '../report/results.ts';
import { EMPTY_HISTORY } from '../target/history.ts';
import { readPlanner } from './ahead.ts';
import { classOf } from './class-of.ts';
import {
  isRecorded,
  readFleetFacts,
  readMembers,
  type FleetFacts,
  type KnownHistories,
  type Scope,
  type TenantGroup,
} from './fleet-facts.ts';
import { historyOf, toMembers } from './member.ts';
import type { Decide } from './plan-scripts.ts';
import type { Fleet } from './select-fleet.ts';

/**
 * One query; reads histories only of unstamped tenants. On failure, warns and returns undefined.
 * @param which the facts, or whose to read
 * @param forward as in the run: what `migrate` would do
 */
export async function readClasses(
  database: Database,
  which: FleetFacts | Pick<Scope, 'only' | 'scripts' | 'stateVersion'>,
  folder: MigrationFolder,
  forward: ForwardOptions,
  observe: Observer,
): Promise<ClassCounts | undefined> {
  try {
    const facts =
      'groups' in which
        ? which
        : await readFleetFacts(database, { only: which.only, scripts: which.scripts }, which.stateVersion);
    return await read(database, facts, await readPlanner(database, facts.known, folder, forward));
  } catch (error) {
    // The run's results must still be returned, even if the server is gone.
    observe({ type: 'warning', message: `The tenants could not be counted by class: ${messageOf(error)}` });
    return undefined;
  }
}

/** Warns of tenants that a run has left up to date, and that are not so at its end. */
export function warnOfLost(
  { changed, upToDate }: FleetResult['totals'],
  now: ClassCounts,
  observe: Observer,
): void {
  // One that was suspended meanwhile has lost nothing.
  const lost = changed + upToDate - now.upToDate - now.notActive;
  if (lost <= 0) return;
  observe({
    type: 'warning',
    message: `${counted(lost, 'tenant', 'was')} up to date during this run and ${conjugated('is', lost)} so no longer: another process undid that, or a standby that took over lacks the latest commits. tenantctl status names what is behind; the next run migrates it.`,
  });
}

async function read(
  database: Database,
  { scope, groups, known }: FleetFacts,
  decide: Decide,
): Promise<ClassCounts> {
  const isKnown = (group: TenantGroup) => !needsHistory(group, known);
  const counted = groups.filter(isKnown).map((group) => ({
    class: classOf({ ...group, plan: decide(historyOf(group, known) ?? EMPTY_HISTORY, group) }),
    count: group.count,
  }));
  for await (const page of readMembers(database, scope, groups, isKnown)) {
    for (const { tenant, history } of await toMembers(database, page, known, { knexLock: false }))
      counted.push({ class: classOf({ ...tenant, plan: decide(history, tenant) }), count: 1 });
  }
  return countClasses(counted);
}

/** Whether the class depends on a history that no stamp has. */
export function needsHistory(
  group: Pick<TenantGroup, 'status' | 'hasSchema' | 'digest'>,
  known: KnownHistories,
): boolean {
  const isMigrated = group.status === 'ACTIVE' || group.status === 'FAILED';
  return isMigrated && group.hasSchema && historyOf(group, known) === undefined;
}

/** The classes after a run that found nothing to do, from its selection; undefined if they must be read. */
export function foundClasses({ groups }: Pick<Fleet, 'groups'>): ClassCounts | undefined {
  const isOpen = (group: TenantGroup) => isRecorded(group) || (group.status === 'FAILED' && group.hasSchema);
  if (groups.some(isOpen)) return undefined;
  return countClasses(
    groups.map((group) => ({ class: classOf({ ...group, plan: { steps: [] } }), count: group.count })),
  );
}

import type { Database } from '../../db/database.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { readPlanner } from '../fleet/ahead.ts';
import { isNothing } from '../fleet/plan-fleet.ts';
import { foundClasses, readClasses, warnOfLost } from '../fleet/read-classes.ts';
import { isWithoutHistory, readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { scriptsOf } from '../files/repeatable.ts';
import { warmUp } from '../guard/limits.ts';
import { readAltered } from '../install/routines.ts';
import { prepareState, STATE_VERSION } from '../install/state-schema.ts';
import { endingOf } from '../ledger/recorded-run.ts';
import { refusePendingMaster, readTenantFolder } from '../plan/plan-folder.ts';
import { filesOf, type Plan } from '../plan/plan.ts';
import { refuseOtherHistories } from '../plan/refuse-other-histories.ts';
import { fleetResult, type FleetResult } from '../report/results.ts';
import { prepareRollout } from '../rollout/prepare-rollout.ts';
import { resultOf } from '../rollout/rollout.ts';
import { DEFAULT_CONCURRENCY } from '../run/capacity.ts';
import { createLanes, type Lanes } from '../run/lanes.ts';
import { loadAhead } from '../run/load-ahead.ts';
import type { RunContext } from '../run/run-context.ts';
import { warnOfEditedFiles } from '../state/checksums.ts';
import { inRun, type CommandRun } from './in-run.ts';
import { COMMAND, migrateFleet, type FleetRun, type MigrateFleetOptions } from './migrate-fleet.ts';

export interface MigrateTenantsOptions extends MigrateFleetOptions {
  /** The folder of the master migrations: pending ones are an error. Not checked if absent. */
  readonly masterFolder?: string | undefined;
  /** List tenants that were up to date, too; otherwise they are only counted. */
  readonly listUpToDate?: boolean | undefined;
}

/**
 * Applies the pending tenant migrations to every selected ACTIVE tenant, each in its own transaction, then to
 * tenants provisioned in the meantime. `include` adds tenants with other statuses.
 * @throws TenantctlError if the run cannot start; a tenant's failure is in the result instead
 */
export function migrateTenants(database: Database, options: MigrateTenantsOptions): Promise<FleetResult> {
  return inRun(database, COMMAND, options, endingOf, migrateInRun);
}

/** migrateTenants within a run that has begun. */
export async function migrateInRun(commandRun: CommandRun<MigrateTenantsOptions>): Promise<FleetResult> {
  const elapsedMs = startStopwatch();
  const { options, context, observe } = commandRun;
  const { database } = context;
  const { folder, forward } = await readTenantFolder(options);
  const { masterFolder } = options;
  const [lanes, selected, altered] = await database.together((one) => [
    createLanes(one, options.concurrency, observe),
    readSelected(one, options, scriptsOf(folder)),
    readAltered(one),
    masterFolder === undefined ? undefined : refusePendingMaster(one, masterFolder, options),
  ]);
  const decide = await readPlanner(database, selected.known, folder, forward);
  const fleet = await selectFleet(database, selected, {
    isSettled: options.listUpToDate === true ? undefined : (history) => isNothing(decide(history)),
    verify: options.verify,
    foresee: (histories) =>
      getReady(
        context,
        histories.map((history) => decide(history)),
        lanes,
        altered.length === 0,
      ),
  });
  if (isWithoutHistory(fleet)) await refuseOtherHistories(database, 'tenants', folder);
  const rollout = await prepareRollout(context, { ...options, folder, lanes, command: COMMAND, observe });
  await prepareState(database, { version: fleet.scope.stateVersion, altered }, observe);
  await warnOfEditedFiles(database, 'tenants', folder, observe);

  const run: FleetRun = { ...commandRun, folder, forward, decide, lanes, rollout };
  const { results, settled, isIdle, isShared, seen } = await migrateFleet(run, fleet);
  const found = isIdle && !isShared ? foundClasses(fleet) : undefined;
  const classes =
    found ??
    (await readClasses(
      database,
      seen ?? { ...fleet.scope, stateVersion: STATE_VERSION },
      folder,
      forward,
      observe,
    ));
  const result = fleetResult(results, {
    elapsedMs,
    settled,
    signal: options.signal,
    notActive: fleet.notActiveByStatus,
    rollout: resultOf(rollout),
    fleet: classes,
    shared: isShared,
  });
  if (classes !== undefined) warnOfLost(result.totals, classes, observe);
  return result;
}

/**
 * Loads migrations and opens connections while the tenants are read.
 * @param mayCall the routines of the state are as this version makes them
 */
function getReady(context: RunContext, plans: readonly Plan[], lanes: Lanes, mayCall: boolean): void {
  const files = [...new Set(plans.flatMap(({ steps }) => filesOf(steps)))];
  if (files.length === 0) return;
  void loadAhead(context, files);
  void context.database.warm(Math.min(lanes.width, DEFAULT_CONCURRENCY), mayCall ? warmUp() : '');
}

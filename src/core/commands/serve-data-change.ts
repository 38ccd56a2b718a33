import { startStopwatch } from '../../stopwatch.ts';
import type { Database } from '../../db/database.ts';
import type { Around } from '../../db/knex/statement.ts';
import type { Applied, DataChange } from '../apply/assignment.ts';
import type { Migration } from '../files/load.ts';
import {
  planFleet,
  refuseOwners,
  resultsOfIdle,
  resultsOfNotActive,
  type FleetPlan,
  type MigrationTask,
} from '../fleet/plan-fleet.ts';
import {
  readSelected,
  selectFleet,
  servedStatuses,
  type Fleet,
  type FleetSelection,
} from '../fleet/select-fleet.ts';
import { readAltered } from '../install/routines.ts';
import { prepareState } from '../install/state-schema.ts';
import { recordFailures } from '../ledger/failures.ts';
import type { RunCommand } from '../ledger/run-rows.ts';
import { NOTHING, type Plan } from '../plan/plan.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { fleetResult, type FleetResult } from '../report/results.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import { prepareRollout, type Rollout } from '../rollout/prepare-rollout.ts';
import { openPlan, resultOf, serveRollout } from '../rollout/rollout.ts';
import { createLanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt } from '../serve/work.ts';
import { applyTask } from '../strategy/apply-task.ts';
import type { History } from '../target/history.ts';
import type { MigrationWork } from '../strategy/migration-work.ts';
import type { CommandRun, FleetRunOptions } from './in-run.ts';

export interface DataChangeOptions extends Omit<FleetRunOptions, 'folder' | 'recordings'>, FleetSelection {
  /** As for migrations. */
  readonly rollout?: RolloutOptions | undefined;
}

/** Runs the steps of a tenant once, in a transaction. @param around sends each statement */
export type Once = (around: Around) => Promise<Attempt<Applied>>;

/** A data change for the tenants of a run. */
export interface DataChangeWork {
  readonly command: RunCommand;
  readonly dataChange: DataChange;
  /**
   * Which of the migrations, loaded by `withLoaded`, a tenant is due; decided again under its lock. Tenants with the
   * same steps share a plan.
   */
  readonly decide: (tenant: RegisteredTenant, history: History) => Plan;
  /** What the ledger says of the run's work, beside its options. */
  readonly planned?: readonly string[] | undefined;
  /** Serves a tenant by more than one transaction. */
  readonly repeat?:
    | ((
        run: Pick<CommandRun<unknown>, 'context' | 'observe'>,
        task: MigrationTask,
        once: Once,
      ) => Promise<Attempt<Applied>>)
    | undefined;
  /** Runs once the ledger can be read, and before anything is decided. */
  readonly prepare?: (() => Promise<void>) | undefined;
}

/** A context that runs these migrations instead of files. */
export function withLoaded(context: RunContext, migrations: readonly Migration[]): RunContext {
  const loaded = new Map(migrations.map((migration) => [migration.file, migration]));
  return {
    ...context,
    load(file) {
      const migration = loaded.get(file);
      return migration === undefined ? context.load(file) : Promise.resolve(migration);
    },
  };
}

/** Changes data in the selected tenants, within a run that has begun, as migrateTenants runs migrations. */
export async function serveDataChange(
  { options, context, run, observe }: CommandRun<DataChangeOptions>,
  work: DataChangeWork,
): Promise<FleetResult> {
  const elapsedMs = startStopwatch();
  const { command, decide } = work;
  const { database } = context;
  const [lanes, selected, altered] = await database.together((one) => [
    createLanes(one, options.concurrency, observe),
    readSelected(one, options),
    readAltered(one),
  ]);
  const fleet = await selectFleet(database, selected);
  const folder = { directory: '', files: [] };
  const rollout = await prepareRollout(context, {
    ...options,
    folder,
    lanes,
    command,
    isDataChange: true,
    observe,
  });
  await prepareState(database, { version: fleet.scope.stateVersion, altered }, observe);
  await work.prepare?.();
  const plan = await planDataChange(database, fleet, decide, options);
  observe({
    type: 'selected',
    total: fleet.members.length + fleet.withoutSchema.length,
    due: plan.due.length,
  });
  if (plan.due.length + plan.problems.length > 0) await run.begin(work.planned ?? []);
  const failures = { command, direction: 'up', areStanding: true } as const;
  await recordFailures(database, run, failures, plan.problems);
  const results = [...(await openPlan(rollout, plan, resultsOfIdle(plan), new Map()))];
  const served =
    plan.due.length === 0
      ? undefined
      : await serveRollout(
          rollout,
          plan.due,
          toMigrationWork(rollout, work, { options, isNamed: fleet.isNamed }),
        );
  results.push(...(served?.results ?? []), ...resultsOfNotActive(fleet));
  return fleetResult(results, {
    elapsedMs,
    settled: 0,
    signal: options.signal,
    notActive: fleet.notActiveByStatus,
    rollout: resultOf(rollout),
    shared: served?.isShared === true,
  });
}

export function planDataChange(
  database: Database,
  fleet: Fleet,
  decide: DataChangeWork['decide'],
  options: DataChangeOptions,
): Promise<FleetPlan> {
  const planned = planFleet(fleet, (history, tenant) =>
    tenant === undefined ? NOTHING : decide(tenant, history),
  );
  return refuseOwners(database, planned, options);
}

function toMigrationWork(
  { context, setting: { lanes, observe } }: Rollout,
  { command, dataChange, decide, repeat }: DataChangeWork,
  { options, isNamed }: { readonly options: DataChangeOptions; readonly isNamed: boolean },
): MigrationWork {
  const work: MigrationWork = {
    command,
    dataChange,
    direction: 'up',
    statuses: servedStatuses(options),
    isNamed,
    decide({ tenant, plan }, history, done) {
      const { problem } = decide(tenant, history);
      return {
        ...plan,
        steps: plan.steps.filter(({ name }) => !done.includes(name)),
        ...(problem && { problem }),
      };
    },
    closing: () => [],
    lanes,
    compile: options.compile,
    observe,
  };
  if (repeat === undefined) return work;
  return {
    ...work,
    apply: (task, more, earlier) =>
      repeat({ context, observe }, task, (around) =>
        applyTask(context, work, task, { ...more, around }, earlier),
      ),
  };
}

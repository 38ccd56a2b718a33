import { messageOf } from '../../errors.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import type { FleetFacts } from '../fleet/fleet-facts.ts';
import {
  isNothing,
  planFleet,
  refuseOwners,
  resultsOfIdle,
  resultsOfNotActive,
  stepsDue,
  type FleetPlan,
} from '../fleet/plan-fleet.ts';
import { readScriptPlanner, type Decide } from '../fleet/plan-scripts.ts';
import { putStampsRight } from '../fleet/put-stamps-right.ts';
import {
  readSelected,
  selectFleet,
  servedStatuses,
  type Fleet,
  type FleetSelection,
  type Wishes,
} from '../fleet/select-fleet.ts';
import { scriptsOf } from '../files/repeatable.ts';
import type { MigrationFolder } from '../files/source.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { ensureVectorExtension, type VectorExtensionMode } from '../install/vector-extension.ts';
import { recordFailures } from '../ledger/failures.ts';
import type { TenantFolderOptions } from '../plan/plan-folder.ts';
import { filesOf, type ForwardOptions } from '../plan/plan.ts';
import { refuseSkeletons } from '../plan/refuse-skeletons.ts';
import { withoutRecording } from '../recordings/kept-recordings.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import type { Rollout } from '../rollout/prepare-rollout.ts';
import { onlyChecked, openPlan, serveRollout } from '../rollout/rollout.ts';
import { notRunYet } from '../rollout/tenant-check.ts';
import type { Lanes } from '../run/lanes.ts';
import { isStopped, recordLoaded } from '../run/run-context.ts';
import { forgetFailure, forgetFailures, noteUnchecked, refusalsIn } from '../state/failures.ts';
import type { Memory } from '../state/memory.ts';
import { stillDue, type Migrated, type MigrationWork } from '../strategy/migration-work.ts';
import type { CommandRun, FleetRunOptions, HooksOption } from './in-run.ts';

export const COMMAND = 'migrate tenants';

export interface MigrateFleetOptions
  extends FleetRunOptions, HooksOption, FleetSelection, TenantFolderOptions {
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** Read every history table instead of trusting the stamps, and correct wrong stamps. */
  readonly verify?: boolean | undefined;
  /** Canaries, waves, a check, and what stops the run; if absent, all tenants are migrated at once. */
  readonly rollout?: RolloutOptions | undefined;
}

/** What `migrateFleet` works with. */
export interface FleetRun extends CommandRun<MigrateFleetOptions> {
  readonly folder: MigrationFolder;
  readonly forward: ForwardOptions;
  readonly decide: Decide;
  readonly lanes: Lanes;
  readonly rollout: Rollout;
}

interface FleetMigrated extends Migrated {
  /** Tenants that were up to date and only counted. */
  readonly settled: number;
  /** Nothing was due, and every tenant could be planned. */
  readonly isIdle: boolean;
  /** The facts about the fleet after the work, if they were read. */
  readonly seen: FleetFacts | undefined;
}

/** Migrates a fleet, then the tenants provisioned in the meantime, until there are none. */
export async function migrateFleet(run: FleetRun, fleet: Fleet): Promise<FleetMigrated> {
  const { options, folder, decide, lanes, observe, rollout } = run;
  const { database } = run.context;
  const results: TenantResult[] = [];
  let settled = 0;
  let isIdle = true;
  let isShared = false;
  let seen: FleetFacts | undefined;
  for (let todo: Fleet | undefined = fleet; todo !== undefined;) {
    const refusals = refusalsIn(todo.scope.memory.failures);
    const decideAll = await readScriptPlanner(database, folder, decide, todo);
    const plan: FleetPlan = await refuseOwners(database, planFleet(todo, decideAll, refusals), options);
    if (todo === fleet) settled = plan.settled;
    if (isAtWork(rollout, plan) || plan.behind.length > 0) isIdle = false;
    for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
    const total = todo.members.length + todo.withoutSchema.length + settled;
    observe({ type: 'selected', total, due: plan.due.length });
    // A migration stamps its tenant itself. With verify, a wrong stamp is reported anyway.
    const toStamp = options.verify === true ? todo.members : [...plan.upToDate, ...plan.behind];
    await putStampsRight(database, toStamp, observe, { run: lanes.run, signal: options.signal });
    const applied = await apply(run, plan, todo, refusals);
    isShared ||= applied.isShared;
    results.push(...applied.results);
    results.push(...resultsOfNotActive(todo));
    const isOver = isStopped(rollout.context) || plan.due.length === 0;
    const after = isOver ? undefined : await lookForNewcomers(run, results);
    todo = after?.newcomers;
    // With retryFailed, the last run with failures may be this one by now.
    seen = options.retryFailed === undefined ? after?.seen : undefined;
  }
  return { results, settled, isIdle, isShared, seen };
}

/** The run does something, or records something, for a tenant. */
function isAtWork(rollout: Rollout, plan: FleetPlan): boolean {
  return plan.due.length + plan.problems.length + onlyChecked(rollout, plan) > 0;
}

interface Newcomers {
  /** Tenants that an older release has provisioned in the meantime, and that are behind; undefined if none. */
  readonly newcomers: Fleet | undefined;
  /** The facts about the fleet as they are now. */
  readonly seen: FleetFacts | undefined;
}

async function lookForNewcomers(
  { context: { database }, options, folder, decide, observe }: FleetRun,
  results: readonly TenantResult[],
): Promise<Newcomers> {
  const wishes: Wishes = {
    isSettled: (history) => isNothing(decide(history)),
    without: new Set(results.map(({ schema }) => schema)),
  };
  const found = await readSelected(database, options, scriptsOf(folder))
    .then((selected) => selectFleet(database, selected, wishes))
    .catch((error: unknown) => {
      // If the server is gone, the tenants' results must still be reported.
      if (!results.some(({ outcome }) => outcome === 'failed')) throw error;
      observe({ type: 'warning', message: `New tenants were not looked for: ${messageOf(error)}` });
      return undefined;
    });
  if (found === undefined || found.members.length === 0) return { newcomers: undefined, seen: found };
  await prepareState(database, await readState(database), observe);
  return { newcomers: { ...found, settled: 0, settledHistories: [], notActive: [] }, seen: undefined };
}

async function apply(
  run: FleetRun,
  plan: FleetPlan,
  { scope: { memory }, isNamed }: Fleet,
  refusals: Rollout['refusals'],
): Promise<Migrated> {
  const { options, context, folder, observe, rollout } = run;
  const { database } = context;
  const notDue = [
    ...resultsOfIdle(plan),
    ...plan.behind.map(({ tenant, error }) =>
      untouched(tenant, 'skipped', {
        reason: 'behind the fleet',
        error: isNamed && options.allowNewerHistory !== true ? error : undefined,
      }),
    ),
  ];
  const steps = stepsDue(plan);
  if (isAtWork(rollout, plan)) await run.run.begin(steps.map(({ name }) => name));
  await recordFailures(database, run.run, { command: COMMAND, direction: 'up' }, plan.problems);
  const upToDate = plan.upToDate.map(({ tenant }) => tenant.schema);
  const recovered = upToDate.filter((schema) => memory.failures.has(schema));
  await forgetFailures(database, recovered);
  const results = await openPlan(rollout, plan, notDue, refusals);
  if (plan.due.length === 0) return { results, isShared: false };

  await context.kept.lookUp(filesOf(steps), 'up');
  await refuseSkeletons(database, 'tenants', withoutRecording(context.kept, filesOf(steps)));
  await assertSessions(context, steps, 'up');
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);
  const migrated = await serveRollout(rollout, plan.due, { ...forwardWork(run, memory), isNamed });
  const applied = migrated.results.flatMap((result) => result.names);
  await recordLoaded(context, 'tenants', folder, applied).catch((error: unknown) => {
    observe({ type: 'warning', message: `The files' checksums were not kept: ${messageOf(error)}` });
  });
  return { results: [...results, ...migrated.results], isShared: migrated.isShared };
}

function forwardWork({ options, folder, forward, lanes, observe }: FleetRun, memory: Memory): MigrationWork {
  const check = options.rollout?.check;
  return {
    command: COMMAND,
    direction: 'up',
    hooks: 'Migrate',
    statuses: servedStatuses(options),
    decide: (task, history, _done, scripts) => stillDue(folder, task, history, scripts, forward),
    closing: ({ tenant, plan: { steps } }) => [
      ...(memory.failures.has(tenant.schema) ? [forgetFailure(tenant.schema)] : []),
      ...(check === undefined || steps[0] === undefined
        ? []
        : [noteUnchecked(tenant.schema, COMMAND, notRunYet(check, tenant, steps[0].name))]),
    ],
    lanes,
    compile: options.compile,
    observe,
  };
}

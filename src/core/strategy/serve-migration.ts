import type { Applied } from '../apply/assignment.ts';
import { runsInTransaction } from '../files/load.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import type { Plan, Step } from '../plan/plan.ts';
import { reachesOutside } from '../guard/one-at-a-time.ts';
import { isStopped, traitsOf, type RunContext, type Traits } from '../run/run-context.ts';
import { serve, type Served } from '../serve/serve.ts';
import { attempt, queueOf, serveQueue, untried } from '../serve/session.ts';
import type { Attempt, Earlier } from '../serve/work.ts';
import { applyTask, withEarlier } from './apply-task.ts';
import { compilePlan, noteInteractive, type Interactive } from './compile-plan.ts';
import type { CompiledPlan } from './compiled.ts';
import { disturbances } from './disturbed-code.ts';
import { keepRecordings, keptSteps, whyCodeDiffers } from './keep-recordings.ts';
import { toResult, type ApplyOptions, type Migrated, type MigrationWork } from './migration-work.ts';
import { learn, learnEffects, lessonOf, wantsPilot, type Lesson } from './pilots.ts';
import { isAsPlanned, lookAtPeers } from './peers.ts';
import type { PlanGroup } from './plan-group.ts';
import { sendToAll } from './send-to-all.ts';

/** How many tenants are tried as pilots, including those that other runs turn out to hold. */
const MOST_TRIES = 20;

/**
 * Serves tenants by plan: the first of each distinct plan alone, the others in parallel. What the first one was sent, if
 * no migration can distinguish tenants, or what the first two were sent alike, the others are sent in strings.
 */
export async function serveMigration(
  context: RunContext,
  tasks: readonly MigrationTask[],
  migration: MigrationWork,
): Promise<Migrated & Served<MigrationTask, Applied>> {
  const { command, direction, lanes, observe, lessons = new Map<string, Lesson>() } = migration;
  const { isDone = migration.dataChange === undefined ? isAsPlanned(direction) : () => false } = migration;
  const served = await serve<MigrationTask, Applied>(
    context,
    tasks,
    {
      lanes,
      observe,
      ledger: { command, direction, areStanding: migration.dataChange !== undefined },
      attempt: (task, earlier) => attemptTask(context, migration, lessonOf(lessons, task), task, earlier),
      onEnd:
        migration.onEnd ??
        ((outcome, done, due) =>
          observe({ type: 'tenant', result: toResult(outcome, migration), done, due })),
      isAlone: (task) => lessonOf(lessons, task).locksShared,
      look: (some) => lookAtPeers(context.database, some, isDone),
    },
    async (session) => {
      const plans = [...Map.groupBy(tasks, ({ plan }) => planKey(plan)).values()];
      await Promise.all(
        plans.map(async (same) => {
          const [first] = same;
          if (first === undefined) return;
          const group = { session, migration, tasks: same, queue: queueOf(session, same) };
          await servePlan({ ...group, lesson: lessonOf(lessons, first) }, first);
        }),
      );
    },
  );
  await keepRecordings(context, migration, tasks, lessons);
  return { ...served, results: served.outcomes.map((outcome) => toResult(outcome, migration)) };
}

/** Attempts a task statement by statement; the first tenants of a plan are pilots. */
async function attemptTask(
  context: RunContext,
  migration: MigrationWork,
  lesson: Lesson,
  task: MigrationTask,
  earlier: Earlier<Applied>,
): Promise<Attempt<Applied>> {
  const apply = (record?: ApplyOptions['record']) =>
    migration.apply === undefined
      ? applyTask(context, migration, task, { record }, earlier)
      : migration.apply(task, { record }, earlier);
  const attempted = wantsPilot(lesson, task.plan)
    ? await learn(lesson, task, apply)
    : await learnEffects(lesson, apply);
  return withEarlier(attempted, task, earlier);
}

async function servePlan(group: PlanGroup, first: MigrationTask): Promise<void> {
  const { session, queue, lesson } = group;
  if (group.migration.dataChange?.isRepeated === true) return serveQueue(session, queue);
  const { context } = session;
  const { plan } = first;
  await prepareLesson(group, plan);
  let tries = 0;
  while (queue.size > 0 && !isStopped(context)) {
    if (lesson.mayCompile) examine(group, plan);
    // If nothing is known of a plan, there will be a pilot, whatever its code says.
    const isKnown = tries > 0 || lesson.pilots > 0 || lesson.kept.size > 0;
    if (isKnown) await Promise.all([...lesson.examined.values()].map((look) => look()));
    if (wantsPilot(lesson, plan) && tries < MOST_TRIES) {
      tries += 1;
      const task = (await queue.fill()) ? queue.ready.shift() : undefined;
      if (task === undefined) break;
      await attempt(session, untried(task), queue);
      continue;
    }
    if (lesson.mayCompile) lesson.compiled ??= await compilePlan(group, first);
    const { compiled } = lesson;
    if (compiled === undefined && lesson.mayCompile && wantsPilot(lesson, plan)) continue;
    if (compiled === undefined || compiled === 'never') break;
    const isUnproven = lesson.testimonies.length === 0 && !lesson.isProven;
    await (isUnproven ? tryKept(group, compiled) : sendToAll(group, compiled));
  }
  await serveQueue(session, queue);
}

/**
 * Sends what earlier runs have kept of a plan to one tenant. Unless it fails, the others are sent the same; if it
 * fails, that tenant is the first pilot.
 */
async function tryKept(group: PlanGroup, compiled: CompiledPlan): Promise<void> {
  const { session, queue } = group;
  const task = (await queue.fill()) ? queue.ready.shift() : undefined;
  if (task === undefined) return;
  await sendToAll({ ...group, tasks: [task], queue: queueOf(session, [task]) }, compiled);
}

/** Finds out what is known of a plan before any tenant is served, and whether it may be compiled. */
async function prepareLesson(group: PlanGroup, plan: Plan): Promise<void> {
  const { session, migration, lesson } = group;
  const { context } = session;
  const { direction } = migration;
  const { steps } = plan;
  const traits = await Promise.all(steps.map(({ file }) => traitsOf(context, file, direction)));
  lesson.kept = keptSteps(context, plan, direction);
  // What the tenants of an earlier wave have could not tell what those of this one have.
  if (lesson.compiled !== 'never') lesson.compiled = undefined;
  lesson.locksShared ||=
    reachesOutside(traits) || [...lesson.kept.values()].some(({ limits }) => limits.locksShared);
  const obstacle = obstacleOf(group, traits);
  const isWanted = migration.compile !== false && steps.length > 0;
  lesson.mayCompile = isWanted && obstacle === undefined && (hasOthers(group) || !context.kept.isOff);
  if (obstacle !== undefined && isWanted && hasOthers(group)) noteInteractive(migration.observe, [obstacle]);
}

/** Whether more tenants follow than the two that show what to send, in this wave or the next. */
function hasOthers({ tasks, migration }: PlanGroup): boolean {
  return tasks.length > 2 || migration.lessons !== undefined;
}

/**
 * Prepares to find the migrations whose code may do something else for the next tenant: see `lesson.examined`. What is
 * kept was examined then.
 */
function examine(group: PlanGroup, { steps }: Plan): void {
  const { session, lesson } = group;
  const [kept, varying] = [new Map(lesson.kept), new Map(lesson.varying)];
  const examined = new Map<string, () => Promise<void>>();
  // What only this process can send again is not worth learning for two tenants.
  const mayLearn = hasOthers(group);
  const isDisturbed = disturbances(group);
  const isSteady = async ({ file }: Step) => {
    const verdict = await session.context.examine(file);
    return (verdict.kind === 'fixed' || verdict.kind === 'pure') && !(await isDisturbed(file, verdict));
  };
  const look = async (step: Step) => {
    const verdict = await session.context.examine(step.file);
    const reason = whyCodeDiffers(step.file, verdict);
    const mayDiffer = verdict.kind === 'varying' || (verdict.kind === 'fixed' && !(await isSteady(step)));
    if (reason !== undefined && (mayDiffer || !mayLearn)) varying.set(step.name, reason);
  };
  for (const step of steps) {
    const { file, name } = step;
    if (varying.has(name) || file.format === 'sql') continue;
    const shown = kept.get(name)?.shown;
    const code = shown !== undefined && 'interactive' in shown ? shown.code : undefined;
    const isForgotten = mayLearn && code === 'fixed';
    if (isForgotten) kept.delete(name);
    if (shown === undefined || isForgotten) examined.set(name, () => look(step));
    else if ('interactive' in shown && code !== undefined) varying.set(name, shown.interactive);
  }
  lesson.kept = kept;
  lesson.varying = varying;
  lesson.examined = examined;
  lesson.findSteady = async () => {
    const code = steps.filter(({ name }) => examined.has(name));
    const areSteady = await Promise.all(code.map(isSteady));
    const steady = code.filter((_, at) => areSteady[at]);
    const sql = steps.filter(({ file }) => file.format === 'sql');
    return new Set([...sql, ...steady].map(({ name }) => name));
  };
}

/** What keeps a plan from being compiled, whatever it sends. */
function obstacleOf(
  { session, migration, tasks }: PlanGroup,
  migrations: readonly Traits[],
): Interactive | undefined {
  const { direction } = migration;
  const all = tasks[0]?.plan.steps.map(({ name }) => name) ?? [];
  if (!session.context.database.acceptsScripts)
    return { names: all, reason: 'the connections of this database share one session' };
  if (migration.opening !== undefined && !session.context.database.createsSchemasWithTables)
    return { names: all, reason: 'on this server, a schema is committed before its tables are created' };
  const outside = migrations.find((each) => !runsInTransaction(each, direction));
  if (outside !== undefined) return { names: [outside.file.name], reason: 'it runs outside a transaction' };
  // What it declares is checked for every tenant, one at a time.
  const reaching = migrations.find((each) => reachesOutside([each]));
  return reaching && { names: [reaching.file.name], reason: 'it has an allowOutside' };
}

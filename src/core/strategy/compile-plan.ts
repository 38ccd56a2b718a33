import { conjugated, listed } from '../../wording.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { joinLimits, limitsBefore, limitsOf, type Limits } from '../guard/limits.ts';
import { readSince } from '../guard/hidden-calls.ts';
import type { Observer } from '../report/event.ts';
import { mayNameHistory } from '../target/history.ts';
import type { CompiledPlan, CompiledStep } from './compiled.ts';
import { mayDiffer, mayLoseNumbers, readNumbers, withoutLostNumbers } from './drawn-numbers.ts';
import type { MigrationWork } from './migration-work.ts';
import { stepsKnown } from './pilots.ts';
import type { PlanGroup } from './plan-group.ts';
import { readStored } from './stores-text.ts';
import { callsHooks } from './task-hooks.ts';

/** Migrations that Knex runs for every tenant, and why. */
export interface Interactive {
  readonly names: readonly string[];
  readonly reason: string;
}

/**
 * Compiles a plan from what its pilots have shown, and says which migrations run with Knex all the same.
 * @returns undefined if pilots have to show it again
 */
export async function compilePlan(
  group: PlanGroup,
  { plan, tenant }: MigrationTask,
): Promise<CompiledPlan | 'never' | undefined> {
  const { migration, lesson } = group;
  const { context } = group.session;
  const { database } = context;
  const all = plan.steps.map(({ name }) => name);
  const known = stepsKnown(lesson, plan).filter((step) => step !== undefined);
  const isKnown = known.length === all.length;
  const isOnlyInteractive = known.every((step) => 'interactive' in step);
  if (!isKnown && (known.length === 0 || !isOnlyInteractive))
    return never(migration, [{ names: all, reason: 'no two tenants have shown what to send' }]);
  if (isOnlyInteractive) return never(migration, reasonsOf(known));
  const limited = await Promise.all(known.map((step) => withLimits(group, step)));
  const sent = limited.map(({ step }) => step);
  const pieces = sent.flatMap((step) => ('pieces' in step ? step.pieces : []));
  const texts = pieces.map(({ text }) => text);
  const following = group.tasks.filter((task) => !lesson.witnesses.includes(task.tenant.schema));
  const isOfEarlierRuns = lesson.testimonies.length === 0;
  // A schema that its transaction creates has no sequence before.
  const isNew = migration.opening !== undefined && group.tasks.every(({ part }) => part?.isFirst !== false);
  const hasHooks = callsHooks(context, migration);
  const ofHooks = hasHooks ? [limitsBefore(lesson.observedEffects)] : [];
  const limits = joinLimits([...limited.map((each) => each.limits), ...ofHooks]);
  const [stored, since, numbers] = await database.together((one) => [
    readStored(one, tenant.schema, texts),
    isOfEarlierRuns ? readSince(one, limits.schemas) : Promise.resolve(undefined),
    !isNew && (pieces.some(mayDiffer) || (isOfEarlierRuns && migration.opening === undefined))
      ? readNumbers(
          one,
          following.map((task) => task.tenant.schema),
        )
      : Promise.resolve(undefined),
  ]);
  // What the guard allows is of earlier runs, too: a string that it refuses would cost the tenant its ids.
  if (isOfEarlierRuns && numbers !== undefined && mayLoseNumbers(sent, numbers)) {
    lesson.kept = new Map();
    return undefined;
  }
  const steps = numbers === undefined ? sent : withoutLostNumbers(sent, numbers);
  if (since?.reachesTenants === true)
    return never(migration, [{ names: all, reason: 'a schema that it reaches belongs to a tenant' }]);
  if (stored.hasCurrentQuery)
    return never(migration, [{ names: all, reason: 'something stores how statements are sent' }]);
  if (steps.every((step) => 'interactive' in step)) return never(migration, reasonsOf(steps));
  noteInteractive(migration.observe, reasonsOf(steps));
  if (isOfEarlierRuns)
    for (const step of steps)
      context.sent[migration.direction].set(step.name, !('pieces' in step) || step.pieces.length > 0);
  return {
    direction: migration.direction,
    steps,
    limits: since?.hasHiddenCalls === true ? { ...limits, thorough: true } : limits,
    readsHistory: stored.namesHistory,
    hasHooks,
  };
}

/** What a step may lock outside the schema. SQL that the parser cannot read is left to Knex's way. */
async function withLimits(
  { session, lesson }: PlanGroup,
  step: CompiledStep,
): Promise<{ readonly step: CompiledStep; readonly limits: Limits }> {
  const { database, readStatements } = session.context;
  const whole = limitsBefore(lesson.observedEffects);
  const earlier = lesson.kept.get(step.name);
  if (earlier !== undefined && lesson.testimonies.length === 0) return { step, limits: earlier.limits };
  if ('interactive' in step) return { step, limits: whole };
  const { name, needsCommit, pieces } = step;
  const readings = await Promise.all(pieces.map(({ text }) => readStatements(text)));
  if (readings.some(({ problem }) => problem !== undefined))
    return {
      step: { name, needsCommit, interactive: 'it has SQL that only the server can read' },
      limits: whole,
    };
  const namesHistory = pieces.some(({ text }) => mayNameHistory(text, database.names.tenantHistory));
  return { step, limits: limitsOf(readings, lesson.observedEffects, namesHistory) };
}

function reasonsOf(steps: readonly CompiledStep[]): Interactive[] {
  const interactive = steps.filter((step) => 'interactive' in step);
  return [...Map.groupBy(interactive, (step) => step.interactive)].map(([reason, some]) => ({
    names: some.map(({ name }) => name),
    reason,
  }));
}

function never({ observe }: MigrationWork, reasons: readonly Interactive[]): 'never' {
  noteInteractive(observe, reasons);
  return 'never';
}

/** Says in one line which migrations are run with Knex for every tenant, and why. */
export function noteInteractive(observe: Observer, reasons: readonly Interactive[]): void {
  const [first, ...others] = reasons;
  if (first === undefined) return;
  const rest = others.map(({ names, reason }) => `; ${listed(names)}: ${reason}`).join('');
  const verb = conjugated('is', first.names.length);
  observe({
    type: 'note',
    message: `${listed(first.names)} ${verb} run for every tenant separately: ${first.reason}${rest}.`,
  });
}

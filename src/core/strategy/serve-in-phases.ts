import type { Applied } from '../apply/assignment.ts';
import { runsInTransaction } from '../files/load.ts';
import { stepsDue, type MigrationTask } from '../fleet/plan-fleet.ts';
import { cutPlan, type Phases } from '../plan/phases.ts';
import type { Plan } from '../plan/plan.ts';
import { isStopped, traitsOf, type RunContext } from '../run/run-context.ts';
import type { Served } from '../serve/serve.ts';
import { whySkipped } from '../serve/session.ts';
import { counted } from '../../wording.ts';
import { toResult, type Migrated, type MigrationOutcome, type MigrationWork } from './migration-work.ts';
import { serveMigration } from './serve-migration.ts';

/**
 * serveMigration in phases, so that migrations outside a transaction delay no other tenant: they may take
 * hours, and wait for every transaction of the database. First all tenants are migrated up to the first of
 * them; then these run, one tenant at a time; then the next phase. A failed tenant goes no further.
 */
export async function serveInPhases(
  context: RunContext,
  tasks: readonly MigrationTask[],
  work: MigrationWork,
): Promise<Migrated & Served<MigrationTask, Applied>> {
  const outside = await outsideSteps(context, tasks, work);
  if (outside.size === 0) return serveMigration(context, tasks, work);
  const phasesOf = phaseFinder(outside);
  const count = tasks.reduce((most, task) => Math.max(most, phasesOf(task).length), 0);
  const outcomes = new Map<string, MigrationOutcome>();
  const withBefore = (outcome: MigrationOutcome) => joined(outcomes.get(keyOf(outcome.task)), outcome);
  const keep = (outcome: MigrationOutcome) => outcomes.set(keyOf(outcome.task), withBefore(outcome));
  const ended = new Set<string>();
  let going = tasks;
  let isShared = false;
  for (let phase = 0; phase < count; phase += 1) {
    const parts = going.flatMap(
      (task) => partOf(task, phasesOf(task), phase, outcomes.get(keyOf(task))) ?? [],
    );
    if (isStopped(context)) {
      const reason = whySkipped(context);
      for (const task of going) keep({ kind: 'skipped', task, durationMs: 0, reason });
      break;
    }
    if (parts.length === 0) continue;
    if (phase % 2 === 1) work.observe({ type: 'phase', message: announcement(parts) });
    const served = await serveMigration(context, parts, {
      ...work,
      opening: work.opening && ((task) => (task.part?.isFirst === false ? [] : (work.opening?.(task) ?? []))),
      closing: (task) => (task.part?.isLast === false ? [] : work.closing(task)),
      onEnd(outcome) {
        const { kind, task } = outcome;
        if (kind !== 'failed' && kind !== 'skipped' && task.part?.isLast === false) return;
        ended.add(keyOf(task));
        const result = toResult(withBefore(outcome), work);
        work.observe({ type: 'tenant', result, done: ended.size, due: tasks.length });
      },
    });
    isShared ||= served.isShared;
    for (const outcome of served.outcomes) keep(outcome);
    going = going.filter((task) => !ended.has(keyOf(task)));
  }
  const all = [...outcomes.values()];
  return { outcomes: all, results: all.map((outcome) => toResult(outcome, work)), isShared };
}

async function outsideSteps(
  context: RunContext,
  tasks: readonly MigrationTask[],
  { direction }: MigrationWork,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const { file, name } of stepsDue({ due: tasks }))
    if (!runsInTransaction(await traitsOf(context, file, direction), direction)) names.add(name);
  return names;
}

/** The phases of a tenant's plan; tenants with the same plan share them. */
function phaseFinder(outside: ReadonlySet<string>): (task: MigrationTask) => Phases {
  const known = new Map<Plan, Phases>();
  return ({ history, plan }) => {
    const phases = known.get(plan) ?? cutPlan(history, plan, ({ name }) => outside.has(name));
    known.set(plan, phases);
    return phases;
  };
}

function partOf(
  task: MigrationTask,
  phases: Phases,
  phase: number,
  before: MigrationOutcome | undefined,
): MigrationTask | undefined {
  const found = phases[phase];
  if (found === undefined || found.plan.steps.length === 0) return undefined;
  const isFirst = phases.slice(0, phase).every(({ plan }) => plan.steps.length === 0);
  const isLast = phase === phases.length - 1;
  const { tenant } = task;
  return {
    tenant: isFirst ? tenant : { ...tenant, hasHistory: true, hasLock: true },
    history: found.history,
    plan: found.plan,
    part: {
      isFirst,
      isLast,
      planned: phases.flatMap(({ plan }) => plan.steps.map(({ name }) => name)),
      isCreated: doneIn(before)?.isCreated === true,
      states: phases.slice(phase).map(({ after }) => after),
    },
  };
}

/** Two rows of the registry may name one schema. */
function keyOf({ tenant: { clerkOrgId, schema } }: MigrationTask): string {
  return JSON.stringify([schema, clerkOrgId]);
}

/** Merges the outcomes of a phase and of the phases before. Pure. */
function joined(before: MigrationOutcome | undefined, now: MigrationOutcome): MigrationOutcome {
  const durationMs = (before?.durationMs ?? 0) + now.durationMs;
  const [earlier, later] = [doneIn(before), doneIn(now)];
  if (earlier === undefined || before === undefined) return { ...now, durationMs };
  // A schema that this run has created is dropped if it fails.
  const isGone = now.kind === 'failed' && later?.isCreated === true;
  // A phase may have to repeat those before.
  const names = isGone ? [] : [...new Set([...earlier.names, ...(later?.names ?? [])])];
  const batch = earlier.batch || (later?.batch ?? 0);
  const isCreated = earlier.isCreated === true || later?.isCreated === true;
  const done = { ...earlier, ...later, names, batch, isCreated };
  if (now.kind === 'by-peer') return names.length === 0 ? now : { ...now, kind: 'done', durationMs, done };
  return { ...now, durationMs, done };
}

function doneIn(outcome: MigrationOutcome | undefined): Applied | undefined {
  return outcome === undefined || outcome.kind === 'by-peer' ? undefined : outcome.done;
}

function announcement(parts: readonly MigrationTask[]): string {
  const names = [...new Set(parts.flatMap(({ plan }) => plan.steps.map(({ name }) => name)))];
  return `Outside a transaction, for ${counted(parts.length, 'tenant')} one at a time: ${names.join(', ')}`;
}

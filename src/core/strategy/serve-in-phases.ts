import { runsInTransaction } from '../files/load.ts';
import { stepsDue, type MigrationTask } from '../fleet/plan-fleet.ts';
import { cutPlan, type Phases } from '../plan/phases.ts';
import type { Plan } from '../plan/plan.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { isStopped, traitsOf, type RunContext } from '../run/run-context.ts';
import { whySkipped } from '../serve/session.ts';
import { counted } from '../../wording.ts';
import type { Migrated, MigrationWork } from './migration-work.ts';
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
): Promise<Migrated> {
  const outside = await outsideSteps(context, tasks, work);
  if (outside.size === 0) return serveMigration(context, tasks, work);
  const phasesOf = phaseFinder(outside);
  const count = tasks.reduce((most, task) => Math.max(most, phasesOf(task).length), 0);
  const results = new Map<string, TenantResult>();
  const ended = new Set<string>();
  let going = tasks;
  let isShared = false;
  for (let phase = 0; phase < count; phase += 1) {
    const parts = going.flatMap((task) => partOf(task, phasesOf(task), phase) ?? []);
    if (isStopped(context)) {
      const reason = whySkipped(context);
      for (const { tenant } of going) keep(results, untouched(tenant, 'skipped', { reason }));
      break;
    }
    if (parts.length === 0) continue;
    if (phase % 2 === 1) work.observe({ type: 'phase', message: announcement(parts) });
    const last = new Set(parts.filter(({ part }) => part?.isLast).map(({ tenant }) => keyOf(tenant)));
    const isEnd = (result: TenantResult) =>
      result.outcome === 'failed' || result.outcome === 'skipped' || last.has(keyOf(result));
    const served = await serveMigration(context, parts, {
      ...work,
      closing: (task) => (task.part?.isLast === false ? [] : work.closing(task)),
      observe(event) {
        if (event.type !== 'tenant') work.observe(event);
        else if (isEnd(event.result)) {
          ended.add(keyOf(event.result));
          const result = joined(results.get(keyOf(event.result)), event.result);
          work.observe({ type: 'tenant', result, done: ended.size, due: tasks.length });
        }
      },
    });
    isShared ||= served.isShared;
    for (const result of served.results) keep(results, result);
    going = going.filter(({ tenant }) => !ended.has(keyOf(tenant)));
  }
  return { results: [...results.values()], isShared };
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

function partOf(task: MigrationTask, phases: Phases, phase: number): MigrationTask | undefined {
  const found = phases[phase];
  if (found === undefined || found.plan.steps.length === 0) return undefined;
  const isFirst = phases.slice(0, phase).every(({ plan }) => plan.steps.length === 0);
  const isLast = phase === phases.length - 1;
  const { tenant } = task;
  return {
    tenant: isFirst ? tenant : { ...tenant, hasHistory: true, hasLock: true },
    history: found.history,
    plan: found.plan,
    part: { isFirst, isLast, states: phases.slice(phase).map(({ after }) => after) },
  };
}

function keep(results: Map<string, TenantResult>, result: TenantResult): void {
  results.set(keyOf(result), joined(results.get(keyOf(result)), result));
}

/** Two rows of the registry may name one schema. */
function keyOf({ clerkOrgId, schema }: Pick<TenantResult, 'clerkOrgId' | 'schema'>): string {
  return JSON.stringify([schema, clerkOrgId]);
}

/** Merges the results of a phase and the phases before. Pure. */
function joined(before: TenantResult | undefined, now: TenantResult): TenantResult {
  if (before === undefined) return now;
  const names = [...before.names, ...now.names];
  const isOver = now.outcome === 'failed' || now.outcome === 'skipped';
  return {
    ...now,
    outcome: isOver ? now.outcome : names.length > 0 ? 'migrated' : 'up-to-date',
    names,
    batch: before.batch === 0 ? now.batch : before.batch,
    durationMs: before.durationMs + now.durationMs,
  };
}

function announcement(parts: readonly MigrationTask[]): string {
  const names = [...new Set(parts.flatMap(({ plan }) => plan.steps.map(({ name }) => name)))];
  return `Outside a transaction, for ${counted(parts.length, 'tenant')} one at a time: ${names.join(', ')}`;
}

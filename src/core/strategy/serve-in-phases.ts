import { isStopped, type RunContext } from '../run/run-context.ts';
import { whySkipped } from './attempt.ts';
import type { FleetWork } from './work.ts';
import { serveFleet } from './serve-fleet.ts';
import { cutPlan, type Phases } from '../plan/phases.ts';
import type { Plan, Step } from '../plan/plan.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { digester } from '../stamps/stamps.ts';
import { runsInTransaction } from '../files/load.ts';
import type { Due } from '../fleet/plan-fleet.ts';

/**
 * serveFleet, with a lane of their own for migrations outside a transaction. All tenants are brought up to the first of
 * these; then those are run, one at a time; then what comes after them; and so on. So the transactional part of a run
 * goes as fast as without them, and what may take hours, and waits for every transaction of the database, waits for
 * nobody else's turn. Within each tenant the order is that of its plan. A tenant that fails goes no further, and one
 * whose plan has nothing outside a transaction is done with in the first phase.
 */
export async function serveInPhases(
  context: RunContext,
  dues: readonly Due[],
  work: FleetWork,
): Promise<TenantResult[]> {
  const isOutside = await outsideSteps(context, dues, work);
  if (isOutside.size === 0) return serveFleet(context, dues, work);
  const phasesOf = phaseFinder(isOutside);
  const isDone = doneFinder();
  const count = dues.reduce((most, due) => Math.max(most, phasesOf(due).length), 0);
  const results = new Map<string, TenantResult>();
  const ended = new Set<string>();
  let going = dues;
  for (let phase = 0; phase < count; phase += 1) {
    const parts = new Map<string, Due>();
    for (const due of going) {
      const part = partOf(due, phasesOf(due), phase);
      if (part !== undefined) parts.set(due.tenant.schema, part);
    }
    if (isStopped(context)) {
      const reason = whySkipped(context);
      for (const { tenant } of going) keep(results, untouched(tenant, 'skipped', { reason }));
      break;
    }
    if (parts.size === 0) continue;
    if (phase % 2 === 1) work.observe({ type: 'phase', message: announcement([...parts.values()]) });
    const isEnd = ({ schema, outcome }: TenantResult) =>
      outcome === 'failed' || outcome === 'skipped' || parts.get(schema)?.part?.isLast === true;
    const served = await serveFleet(context, [...parts.values()], {
      ...work,
      closing: (due) => (due.part?.isLast === false ? [] : work.closing(due)),
      isDone,
      observe(event) {
        if (event.type !== 'tenant') work.observe(event);
        else if (isEnd(event.result)) {
          ended.add(event.result.schema);
          const result = joined(results.get(event.result.schema), event.result);
          work.observe({ type: 'tenant', result, done: ended.size, due: dues.length });
        }
      },
    });
    for (const result of served) keep(results, result);
    const over = new Set(served.filter(isEnd).map(({ schema }) => schema));
    going = going.filter(({ tenant }) => !over.has(tenant.schema));
  }
  return [...results.values()];
}

/** The steps of these plans that run outside a transaction. */
async function outsideSteps(
  context: RunContext,
  dues: readonly Due[],
  { direction }: FleetWork,
): Promise<ReadonlySet<Step>> {
  const steps = [...new Set(dues.map(({ plan }) => plan))].flatMap((plan) => plan.steps);
  const loaded = await Promise.all(
    steps.map(async (step) => ({ step, migration: await context.load(step.file) })),
  );
  return new Set(
    loaded.filter(({ migration }) => !runsInTransaction(migration, direction)).map(({ step }) => step),
  );
}

/** The phases of a tenant's plan; tenants with the same plan share them. */
function phaseFinder(isOutside: ReadonlySet<Step>): (due: Due) => Phases {
  const known = new Map<Plan, Phases>();
  return ({ history, plan }) => {
    let phases = known.get(plan);
    if (phases === undefined) {
      phases = cutPlan(history, plan, (step) => isOutside.has(step));
      known.set(plan, phases);
    }
    return phases;
  };
}

function partOf(due: Due, phases: Phases, phase: number): Due | undefined {
  const found = phases[phase];
  if (found === undefined || found.plan.steps.length === 0) return undefined;
  const isFirst = phases.slice(0, phase).every(({ plan }) => plan.steps.length === 0);
  const isLast = phase === phases.length - 1;
  const { tenant } = due;
  const tables = { ...tenant.tables, hasHistory: true, hasLock: true };
  return {
    tenant: isFirst ? tenant : { ...tenant, tables },
    history: found.history,
    plan: found.plan,
    part: { isFirst, isLast, states: phases.slice(phase).map(({ after }) => after) },
  };
}

/** Another run may have brought a tenant to the end of this part, or of any later one. */
function doneFinder(): FleetWork['isDone'] {
  const digest = digester();
  return ({ part }, now) => part?.states.some((entries) => digest(entries) === now.digest) === true;
}

function keep(results: Map<string, TenantResult>, result: TenantResult): void {
  results.set(result.schema, joined(results.get(result.schema), result));
}

/** What became of a tenant in one phase, together with the phases before. Pure. */
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

function announcement(parts: readonly Due[]): string {
  const names = [...new Set(parts.flatMap(({ plan }) => plan.steps.map(({ name }) => name)))];
  return `Outside a transaction, for ${parts.length} tenants one at a time: ${names.join(', ')}`;
}

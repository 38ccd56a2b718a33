import { advance } from '../apply/advance.ts';
import type { Applied } from '../apply/assignment.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt, Earlier } from '../serve/work.ts';
import { tenantTarget } from '../target/target.ts';
import type { ApplyOptions, MigrationWork } from './migration-work.ts';
import { hooksOfTask } from './task-hooks.ts';

/** Applies the plan of an existing tenant, statement by statement. */
export async function applyTask(
  context: RunContext,
  work: MigrationWork,
  task: MigrationTask,
  { record, around }: ApplyOptions,
  earlier: Earlier<Applied>,
): Promise<Attempt<Applied>> {
  const { tenant, plan } = task;
  const { direction, statuses, isNamed, dataChange } = work;
  const target = tenantTarget(context.database.names, tenant, context);
  const batch = batchBegun(task, earlier);
  const attempt = await advance(context, target, {
    direction,
    decide: (history, done, scripts) => work.decide(task, history, done, scripts),
    batch,
    statuses,
    hooks: hooksOfTask(context, target, work, task, batch !== undefined),
    closing: work.closing(task),
    hasState: true,
    hasTables: tenant.hasHistory && tenant.hasLock,
    planned: plan.steps,
    record,
    dataChange,
    isDone: dataChange?.isDone?.(target, earlier.mayBeCommitted),
    applied: dataChange?.applied?.(target),
    around,
  });
  if (attempt.kind !== 'status') return attempt;
  const reason = `its status is ${attempt.status ?? 'gone from the registry'} now`;
  const error = isNamed === true ? tenantNotActive(tenant, attempt.status) : undefined;
  return { kind: 'skipped', reason, error, done: attempt.done };
}

/** The batch of what is committed of a task; undefined if nothing is. Pure. */
export function batchBegun({ plan, part }: MigrationTask, { failure }: Earlier<Applied>): number | undefined {
  if (part?.isFirst === false) return plan.batch;
  return failure?.done?.names.length ? failure.done.batch : undefined;
}

/** Merges an attempt with what earlier ones have done. Pure. */
export function withEarlier(
  attempt: Attempt<Applied>,
  { plan }: Pick<MigrationTask, 'plan'>,
  { failure, mayBeCommitted }: Earlier<Applied>,
): Attempt<Applied> {
  if (attempt.kind === 'busy') return attempt;
  const before = failure?.done?.names ?? [];
  const done = attempt.kind === 'by-peer' ? undefined : attempt.done;
  const names = [...before, ...(done?.names ?? [])];
  const isComplete = attempt.kind === 'done' || attempt.kind === 'by-peer';
  if (isComplete && names.length === 0 && plan.steps.length > 0) {
    // Nothing was left to do: the earlier COMMIT succeeded after all, or another run was faster.
    if (!mayBeCommitted) return { kind: 'by-peer' };
    const all = plan.steps.map(({ name }) => name);
    return { kind: 'done', done: { ...done, names: all, batch: plan.batch, isCommitted: true } };
  }
  if (attempt.kind === 'by-peer') return attempt;
  const batch = attempt.done?.batch || failure?.done?.batch || 0;
  return { ...attempt, done: { ...attempt.done, names, batch, isCommitted: done?.isCommitted === true } };
}

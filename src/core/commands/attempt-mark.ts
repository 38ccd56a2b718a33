import { recordInLedger } from '../ledger/record-in-run.ts';
import { stampOf } from '../stamps/stamps.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { withTransaction, type OpenTransaction } from '../../db/transaction.ts';
import type { Assignment } from '../apply/assignment.ts';
import { lookUnderLock, readUnderLock, type Seen } from '../apply/under-lock.ts';
import { untrustedHistory } from '../apply/untrusted-history.ts';
import { NOTHING, type Plan } from '../plan/plan.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt, Earlier } from '../serve/work.ts';
import { forgetFailure } from '../state/failures.ts';
import { interrupted } from '../state/interrupted.ts';
import { forgetRepeatable } from '../state/scripts.ts';
import { tenantAmbiguous } from '../state/tenant-ids.ts';
import { assertFinished } from '../state/unfinished-verb.ts';
import type { Target } from '../target/target.ts';
import { recordStep } from '../target/write-history.ts';
import { MARKABLE, type MarkTarget } from './mark-targets.ts';

/** A history, and what to record in it. */
export interface MarkTask extends MarkTarget {
  readonly plan: Plan;
}

/** What was recorded. */
export interface Marked {
  readonly names: readonly string[];
  /** 0 if nothing was recorded. */
  readonly batch: number;
}

/**
 * One try to record migrations in a history, in one transaction under its lock.
 * @param decideAgain what the history lacks, as it is under the lock
 */
export async function attemptMark(
  { database, run, lockTimeoutMs, statementTimeoutMs }: RunContext,
  task: MarkTask,
  earlier: Earlier<Marked>,
  decideAgain: Assignment['decide'],
): Promise<Attempt<Marked>> {
  const { target } = task;
  const assignment: Assignment = {
    direction: 'up',
    decide: decideAgain,
    hasState: true,
    ...(target.scope === 'tenants' && { statuses: MARKABLE }),
  };
  try {
    return await withTransaction(
      database,
      { lockTimeoutMs, statementTimeoutMs },
      lookUnderLock(target, assignment, false),
      async (transaction) => {
        const plan = await planUnderLock(target, assignment, transaction);
        if (plan === 'busy' || plan.steps.length === 0) transaction.abandon();
        if (plan === 'busy') return { kind: 'busy' };
        if (plan.steps.length === 0) {
          const { steps, batch } = earlier.mayBeCommitted ? task.plan : NOTHING;
          return { kind: 'done', done: { names: steps.map(({ name }) => name), batch } };
        }
        const names = plan.steps.map(({ name }) => name);
        const { batch } = plan;
        await transaction.commitWith([
          ...names.map((name) => recordStep(target, 'up', name, batch)),
          ...recordInLedger(run?.id, target, { direction: 'up', outcome: 'marked', names, batch }),
          ...names.map((name) => forgetFailure(target.schema, name)),
          forgetRepeatable(target.schema),
          ...stampOf(target),
        ]);
        return { kind: 'done', done: { names, batch } };
      },
    );
  } catch (thrown) {
    const error = untrustedHistory(thrown, target) ?? toDatabaseError(thrown, { tenant: target.clerkOrgId });
    return { kind: 'failed', error, mayRepeat: true };
  }
}

/** @throws TenantctlError why the history must not be changed */
async function planUnderLock(
  target: Target,
  assignment: Assignment,
  { client, opening }: OpenTransaction,
): Promise<Plan | 'busy'> {
  const [lock, , look] = opening;
  if ((lock?.rows[0] as { locked: boolean } | undefined)?.locked !== true) return 'busy';
  const seen = look?.rows[0] as Seen;
  const tenant = { clerkOrgId: target.clerkOrgId ?? '', schema: target.schema };
  assertFinished(seen.verb);
  if (assignment.statuses !== undefined && !assignment.statuses.some((status) => status === seen.status))
    throw tenantNotActive(tenant, seen.status);
  if (!seen.is_known) throw tenantAmbiguous(tenant);
  if (seen.intent !== null) throw interrupted(target, seen.intent, []);
  const history = await readUnderLock(client, target, assignment, seen, undefined);
  const plan = assignment.decide(history, [], undefined);
  if (plan.problem !== undefined) throw plan.problem;
  return plan;
}

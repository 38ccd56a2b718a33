import type { OpenTransaction } from '../../db/transaction.ts';
import { toSchemaBefore, type SchemaBefore } from '../guard/before.ts';
import { lastBatch, NOTHING, type Plan } from '../plan/plan.ts';
import { interrupted } from '../state/interrupted.ts';
import { tenantAmbiguous } from '../state/tenant-ids.ts';
import { assertFinished } from '../state/unfinished-verb.ts';
import type { History } from '../target/history.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import type { Assignment, TargetJob } from './assignment.ts';
import type { Hooks } from './hooks.ts';
import { nextSegment, withHooks, type Segment } from './segment.ts';
import { readUnderLock, type Seen } from './under-lock.ts';

/** Why nothing is done to a target: another run has its lock, or its status is none of those to serve. */
export type NotServed =
  | { readonly kind: 'busy' }
  | { readonly kind: 'status'; readonly status: string | null };

/** The opening has to be committed before anything else is done. */
export interface Opened {
  readonly kind: 'opened';
}

interface Facts {
  readonly segment: Segment;
  /** The schema or its history was created in this transaction. */
  readonly isNew: boolean;
  readonly schemaBefore: SchemaBefore | undefined;
}

/**
 * Reads the facts under the lock, and decides which segment comes next.
 * @throws TenantctlError TENANT_UNFINISHED, TENANT_AMBIGUOUS, TENANT_SWAPPED; the plan's problem; if a migration was interrupted
 */
export async function readFacts(
  job: TargetJob,
  { client, opening }: OpenTransaction,
  isOutside: boolean,
): Promise<NotServed | Opened | Facts> {
  const { context, target, assignment, progress } = job;
  const [lock, , look, noted, read] = opening;
  const seen = look?.rows[0] as Seen;
  const taken = lock?.rows[0] as { locked: boolean; pid: number } | undefined;
  progress.pid = taken?.pid;
  if (taken?.locked !== true) return { kind: 'busy' };
  // First: a tenant that a verb has just made SUSPENDED is left alone, like any other that is not ACTIVE.
  if (assignment.statuses !== undefined && !assignment.statuses.some((status) => status === seen.status))
    return { kind: 'status', status: seen.status };
  assertFinished(seen.verb, assignment.verb);
  if (!seen.is_known) throw tenantAmbiguous({ clerkOrgId: target.clerkOrgId ?? '', schema: target.schema });
  if (seen.intent !== null)
    throw interrupted(target, seen.intent, await readInvalidIndexes(client, [target.schema]));
  const isOpened = !progress.started && assignment.opening !== undefined;
  if (isOpened) await assignment.opening?.(client);
  progress.started = true;
  if (isOpened && target.scope === 'tenants' && !context.database.createsSchemasWithTables)
    return { kind: 'opened' };

  const row = read?.rows[0] as History | undefined;
  const history = await readUnderLock(client, target, assignment, seen, row, context.database.hasNodes);
  const plan = seen.is_done
    ? NOTHING
    : assignment.decide(history, [...progress.names, ...(seen.applied ?? [])], seen.scripts ?? undefined);
  if (plan.problem !== undefined) throw plan.problem.with({ tenant: target.clerkOrgId });
  const isContinued = plan.steps.length > 0 && lastBatch(history) === assignment.batch;
  if (progress.batch === 0) progress.batch = isContinued ? lastBatch(history) : plan.batch;
  const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
  return {
    segment: withHooks(
      nextSegment(plan.steps, migrations, assignment.direction),
      hooksDue(assignment, progress, plan),
    ),
    isNew: isOpened || !seen.has_history || !seen.has_lock,
    schemaBefore: target.scope === 'tenants' && !isOutside ? toSchemaBefore(noted?.rows[0]) : undefined,
  };
}

/** None if another run has done what was planned. Pure. */
function hooksDue(
  { hooks, opening, batch }: Assignment,
  { names, hasHooked }: TargetJob['progress'],
  { steps }: Plan,
): Hooks {
  const isAtWork = steps.length > 0 || names.length > 0 || opening !== undefined || batch !== undefined;
  if (hooks === undefined || !isAtWork) return {};
  return hasHooked === true ? { after: hooks.after } : hooks;
}

import { isLoss } from '../../../db/database-error.ts';
import { TenantctlError } from '../../../errors.ts';
import { changeStatus } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { RunContext } from '../../run/run-context.ts';
import { endVerb } from '../../state/verb-intents.ts';
import { readOutsideTies } from '../common/outside-ties.ts';
import { type RemovedTenant } from './removal-result.ts';
import { look, underLock, type Before, type Removal } from './removal-step.ts';

/** How the tenant got back what it had. */
export interface GivenBack {
  /** Why the tenant is not as it was. Nothing is missing if the removal was begun by another verb or taken over. */
  readonly error?: TenantctlError;
  /** What would validate foreign keys that rows have broken meanwhile. They hold for new rows. */
  readonly invalid: readonly string[];
}

/**
 * After a failure: the tenant gets back what `removeTenant` has taken from it so far, its foreign keys and then its
 * status. A key is added NOT VALID and validated by a transaction of its own: to add a valid one would stop all writers of
 * the shared table until every row has been looked at. A key that was NOT VALID before stays so.
 */
export async function giveBack(
  context: RunContext,
  removal: Removal,
  tenant: RemovedTenant,
): Promise<GivenBack> {
  const invalid: string[] = [];
  for (;;) {
    const next = await giveBackOne(context, removal, tenant, invalid);
    if (next === undefined) return { invalid };
    if (next.error === undefined) continue;
    const { validate, error } = next;
    if (validate === undefined || isLoss(error)) return { error, invalid };
    invalid.push(validate);
  }
}

interface Step {
  readonly validate?: string | undefined;
  readonly error?: TenantctlError;
}

/** The next thing to give back, in a transaction of its own. @param without what need not be tried again */
async function giveBackOne(
  context: RunContext,
  { verb, registry }: Removal,
  tenant: RemovedTenant,
  without: readonly string[],
): Promise<Step | undefined> {
  const { schema } = tenant;
  let validate: string | undefined;
  let isOver = true;
  const attempt = await underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const { intent, status: now } = await look(context, client, tenant);
    const before = (intent?.details ?? {}) as Before;
    const { status, away } = before;
    if (
      away !== undefined ||
      intent?.verb !== verb ||
      intent.run !== (context.run?.id ?? null) ||
      status === undefined
    ) {
      transaction.abandon();
      return { kind: 'done', done: {} };
    }
    const { ties } = await readOutsideTies(client, schema);
    const restored = new Set(ties.map(({ restore }) => restore));
    const valid = new Set([...without, ...ties.map((each) => each.validate)]);
    // A key that is there and not valid is written as one that never was.
    const restore = before.restore?.find((each) => !restored.has(each));
    validate = restore === undefined ? before.validate?.find((each) => !valid.has(each)) : undefined;
    const statement = restore ?? validate;
    if (statement !== undefined) {
      isOver = false;
      await transaction.commitWith([statement]);
      return { kind: 'done', done: {} };
    }
    const { from, during } = TRANSITIONS[verb];
    const to = from.find((word) => word === status);
    await transaction.commitWith([
      ...(to === undefined || to === now
        ? []
        : [changeStatus(context.database.names, registry, tenant, { from: [during], to })]),
      endVerb(schema),
    ]);
    return { kind: 'done', done: {} };
  });
  if (attempt.kind === 'failed') return { error: attempt.error, validate };
  if (attempt.kind !== 'done')
    return { error: new TenantctlError('LOCK_TIMEOUT', 'Another run is at work on it.') };
  return isOver ? undefined : {};
}

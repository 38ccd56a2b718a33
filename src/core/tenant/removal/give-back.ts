import { changeStatus } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import { endVerb } from '../../state/verb-intents.ts';
import { readOutsideTies } from '../common/outside-ties.ts';
import { type RemovedTenant } from './removal-result.ts';
import { look, underLock, type Before, type Removal, type Removed } from './removal-step.ts';

/**
 * After a failure: the tenant gets back what `removeTenant` has taken from it so far, its status and its foreign keys.
 * Nothing is done if the removal was begun by another verb or taken over.
 */
export function giveBack(
  context: RunContext,
  { verb, registry }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const { intent, status: now } = await look(context, client, tenant);
    const { status, restore = [], away } = (intent?.details ?? {}) as Before;
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
    const left = new Set(ties.map(({ restore }) => restore));
    const { from, during } = TRANSITIONS[verb];
    const to = from.find((word) => word === status);
    await transaction.commitWith([
      ...restore.filter((statement) => !left.has(statement)),
      ...(to === undefined || to === now
        ? []
        : [changeStatus(context.database.names, registry, tenant, { from: [during], to })]),
      endVerb(schema),
    ]);
    return { kind: 'done', done: {} };
  });
}

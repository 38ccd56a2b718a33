import { toVerbResult } from '../../commands/verb-result.ts';
import { recordFailures } from '../../ledger/failures.ts';
import type { Observer } from '../../report/event.ts';
import { createLanes, type Concurrency } from '../../run/lanes.ts';
import type { RunContext } from '../../run/run-context.ts';
import { serve } from '../../serve/serve.ts';
import type { Outcome } from '../../serve/work.ts';
import { observeEnd } from '../../serve/observe-end.ts';
import { giveBack } from './give-back.ts';
import { removeTenant } from './remove-tenant.ts';
import type { Removal, Removed } from './removal-step.ts';
import { dropLeftReplacements } from '../common/schemas-beside.ts';
import { REMOVED, REMOVED_BEFORE, type RemovalResult, type RemovedTenant } from './removal-result.ts';

interface RemovalTask {
  readonly tenant: RemovedTenant;
}

interface How {
  readonly concurrency: Concurrency | undefined;
  readonly observe: Observer;
}

/** Takes the schemas of tenants away, several tenants in parallel. A tenant whose removal fails gets back what it had. */
export async function serveRemovals(
  context: RunContext,
  removal: Removal,
  tenants: readonly RemovedTenant[],
  { concurrency, observe }: How,
): Promise<RemovalResult[]> {
  const { database, run } = context;
  const { verb } = removal;
  const toResult = (outcome: Outcome<RemovalTask, Removed>): RemovalResult =>
    toVerbResult(outcome, {}, ({ isOver = false, backupFile }) => ({
      outcome: isOver ? REMOVED_BEFORE[verb] : REMOVED[verb],
      ...(backupFile !== undefined && { backupFile }),
    }));
  await dropLeftReplacements({ context, observe }, tenants);
  const { outcomes } = await serve<RemovalTask, Removed>(
    context,
    tenants.map((tenant) => ({ tenant })),
    {
      lanes: await createLanes(database, concurrency, observe, tenants.length),
      observe,
      attempt: ({ tenant }) => removeTenant(context, removal, tenant),
      onEnd: observeEnd(observe, REMOVED[verb], toResult),
    },
  );
  const failures = outcomes.flatMap((outcome) =>
    outcome.kind === 'failed' ? [{ ...outcome, tenant: outcome.task.tenant }] : [],
  );
  for (const { tenant } of failures) await giveBackTo(context, removal, tenant, observe);
  const command = { command: `tenant ${verb}`, direction: 'down', areStanding: true } as const;
  await recordFailures(database, run, command, failures);
  for (const message of context.warnings) observe({ type: 'warning', message });
  const order = new Map(tenants.map((tenant, index) => [tenant.schema, index]));
  return outcomes.map(toResult).toSorted((a, b) => (order.get(a.schema) ?? 0) - (order.get(b.schema) ?? 0));
}

async function giveBackTo(
  context: RunContext,
  removal: Removal,
  tenant: RemovedTenant,
  observe: Observer,
): Promise<void> {
  const { error, invalid } = await giveBack(context, removal, tenant);
  const warn = (message: string) => observe({ type: 'warning', message });
  for (const statement of invalid)
    warn(
      `A foreign key of "${tenant.clerkOrgId}" has rows that break it now, and holds for new rows only. Correct them, and then: ${statement};`,
    );
  // Of another verb: nothing was taken.
  if (error === undefined || error.code === 'TENANT_UNFINISHED') return;
  warn(
    `"${tenant.clerkOrgId}" is not as it was before its ${removal.verb} (${error.message}). Run the command again.`,
  );
}

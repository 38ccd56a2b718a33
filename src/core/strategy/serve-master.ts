import { TenantctlError } from '../../errors.ts';
import { advance } from '../apply/advance.ts';
import type { Applied, Assignment } from '../apply/assignment.ts';
import type { Plan } from '../plan/plan.ts';
import type { Observer } from '../report/event.ts';
import { ONE_LANE } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt } from '../serve/work.ts';
import { masterTarget } from '../target/target.ts';
import { withEarlier } from './apply-task.ts';

/**
 * Migrates the master schema, with the same retries and waits as a tenant.
 * @param plan what was planned; the assignment decides again under the lock
 * @throws TenantctlError the last attempt's; LOCK_TIMEOUT; INTERRUPTED
 */
export async function serveMaster(
  context: RunContext,
  plan: Plan,
  observe: Observer,
  assignment: Assignment,
): Promise<Pick<Applied, 'names' | 'batch'>> {
  const target = masterTarget(context.database.names);
  let last: Attempt<Applied> | undefined;
  const { outcomes } = await serve(context, [{ tenant: target }], {
    lanes: ONE_LANE,
    observe,
    async attempt(_task, earlier): Promise<Attempt<Applied>> {
      const attempt = await advance(context, target, assignment);
      if (attempt.kind === 'status') throw new Error('the master schema has no status');
      last = withEarlier(attempt, { plan }, earlier);
      return last;
    },
  });
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done;
  if (outcome?.kind === 'by-peer') return { names: [], batch: 0 };
  if (outcome?.kind === 'failed') throw outcome.error;
  // The run was stopped: a cancelled attempt has the better error.
  if (last?.kind === 'failed') throw last.error;
  const when = last === undefined ? 'before work on' : 'while another run was at work on';
  throw new TenantctlError('INTERRUPTED', `Stopped ${when} the master schema.`, {
    hint: 'Run the command again: it continues where this one stopped.',
  });
}

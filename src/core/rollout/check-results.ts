import { messageOf, type TenantctlError } from '../../errors.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { createFailureLog } from '../ledger/failures.ts';
import { lastBatch } from '../plan/plan.ts';
import type { TenantResult } from '../report/results.ts';
import { serve } from '../serve/serve.ts';
import { forgetRefusals } from '../state/failures.ts';
import { counted, listed } from '../../wording.ts';
import type { Rollout } from './prepare-rollout.ts';
import { checkTenant } from './tenant-check.ts';

/** A tenant to check. Without a plan, nothing was due. */
type Checked = Pick<MigrationTask, 'tenant' | 'history'> & Partial<Pick<MigrationTask, 'plan'>>;

/**
 * Checks the tenants that were due and have not failed, whichever run has migrated them, and with listUpToDate
 * also those that were up to date. A tenant that the check refuses has failed, whatever was applied to it; so
 * has one that was refused before and that no check has passed in this run.
 * @param tenants those of the results that may be checked
 */
export async function checkResults(
  rollout: Rollout,
  results: readonly TenantResult[],
  tenants: readonly Checked[],
): Promise<readonly TenantResult[]> {
  const { refusals, setting } = rollout;
  const outcomes = new Map(results.map(({ schema, outcome }) => [schema, outcome]));
  const asked = tenants.filter(({ tenant, plan }) => {
    const outcome = outcomes.get(tenant.schema);
    const isListed = plan !== undefined || setting.listUpToDate === true;
    const isChanged = ['migrated', 'written', 'seeded'].includes(outcome ?? '');
    return isChanged || (outcome === 'up-to-date' && isListed);
  });
  const { passed, refused } = await ask(rollout, asked);
  const open = asked.filter(({ tenant: { schema } }) => refusals.has(schema) && !passed.has(schema));
  const standing = await standBy(
    rollout,
    open.filter(({ tenant }) => !refused.has(tenant.schema)),
  );
  return results.map((result) => {
    const error = refused.get(result.schema) ?? standing.get(result.schema);
    return error === undefined ? result : { ...result, outcome: 'failed', error };
  });
}

interface Answers {
  readonly passed: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, TenantctlError>;
}

/** Runs the check, if there is one, in parallel. A refusal counts as a failure. */
async function ask(rollout: Rollout, tasks: readonly Checked[]): Promise<Answers> {
  const { context, setting } = rollout;
  const { lanes, observe, command, isDataChange = false, rollout: { check } = {} } = setting;
  const passed = new Set<string>();
  const refused = new Map<string, TenantctlError>();
  if (check === undefined || tasks.length === 0) return { passed, refused };
  observe({ type: 'phase', message: `Checking ${counted(tasks.length, 'tenant')}` });
  // A check writes nothing: it need not wait for standbys.
  const { outcomes } = await serve({ ...context, throttle: undefined }, tasks, {
    lanes,
    observe,
    ledger: { command, direction: 'up', areStanding: isDataChange },
    async attempt(task) {
      const unchecked = firstUnchecked(rollout, task);
      const error = await checkTenant(context, task.tenant, check, unchecked, isDataChange);
      if (error === undefined) return { kind: 'done', done: undefined };
      return { kind: 'failed', error, mayRepeat: true };
    },
  });
  for (const outcome of outcomes) {
    const { schema } = outcome.task.tenant;
    if (outcome.kind === 'failed') refused.set(schema, outcome.error);
    else if (outcome.kind === 'done') passed.add(schema);
    else rollout.unchecked += 1;
  }
  rollout.checked += passed.size + refused.size;
  rollout.refused += refused.size;
  if (isDataChange) return { passed, refused };
  await forgetRefusals(context.database, [...passed]).catch((error: unknown) => {
    observe({ type: 'warning', message: `Checks that passed are not recorded: ${messageOf(error)}` });
  });
  return { passed, refused };
}

/** The earliest migration that no check has passed: a refusal ends when it is undone. */
function firstUnchecked({ refusals }: Rollout, { tenant, history, plan }: Checked): string | undefined {
  const last = lastBatch(history);
  const [newest] = history.entries.filter(({ batch }) => batch === last);
  return refusals.get(tenant.schema)?.migration ?? plan?.steps[0]?.name ?? newest?.name;
}

/** Counts and records refusals of an earlier run as failures of this run. @returns their errors by schema */
async function standBy(
  { context, refusals, setting: { command, observe, rollout } }: Rollout,
  tasks: readonly Checked[],
): Promise<ReadonlyMap<string, TenantctlError>> {
  const errors = new Map<string, TenantctlError>();
  const work = { command, direction: 'up', areStanding: true, observe } as const;
  const log = createFailureLog(context.database, context.run, work);
  for (const { tenant } of tasks) {
    const error = refusals.get(tenant.schema);
    if (error === undefined) continue;
    errors.set(tenant.schema, error);
    log.add({ tenant, error });
    context.failureLimit?.failed();
  }
  await log.written();
  if (errors.size > 0 && rollout?.check === undefined) {
    const organizations = listed(tasks.map(({ tenant }) => tenant.clerkOrgId));
    const message = `${counted(errors.size, 'tenant', 'has')} not passed an earlier check, and this run has none: ${organizations}. To check again: --check <file.sql>.`;
    observe({ type: 'warning', message });
  }
  return errors;
}

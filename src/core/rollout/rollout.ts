import type { FleetPlan, MigrationTask } from '../fleet/plan-fleet.ts';
import { observePart } from '../report/event.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { stageName, type RolloutResult } from '../report/rollout-result.ts';
import { pause } from '../run/retry.ts';
import { isStopped } from '../run/run-context.ts';
import { whySkipped } from '../serve/session.ts';
import type { Migrated, MigrationWork } from '../strategy/migration-work.ts';
import { checkResults } from './check-results.ts';
import { stopReason } from './failure-limit.ts';
import type { Rollout } from './prepare-rollout.ts';
import { serveAndCheck, serveStage, stagesOf } from './stages.ts';
import { takeBack } from './take-back.ts';

/**
 * Adds a plan's tenants to the failure limit; checks those that are up to date if that was asked for.
 * @param results of the tenants that are not due
 * @param refusals the checks that have refused tenants, by schema
 */
export async function openPlan(
  rollout: Rollout,
  plan: FleetPlan,
  results: readonly TenantResult[],
  refusals: Rollout['refusals'],
): Promise<readonly TenantResult[]> {
  rollout.refusals = refusals;
  const { canaries, context, failureLimit, setting } = rollout;
  if (setting.rollout === undefined) return results;
  failureLimit.expect(plan.due.length + onlyChecked(rollout, plan), plan.problems.length);
  const checked = isStopped(context) ? results : await checkResults(rollout, results, plan.upToDate);
  const isFailedCanary = ({ outcome, schema }: TenantResult) =>
    outcome === 'failed' && canaries instanceof Set && canaries.has(schema);
  rollout.hopeless = checked.filter(isFailedCanary).length;
  return checked;
}

/** How many tenants of a plan are due nothing, but are checked. */
export function onlyChecked({ setting }: Rollout, { upToDate }: Pick<FleetPlan, 'upToDate'>): number {
  return setting.listUpToDate === true && setting.rollout?.check !== undefined ? upToDate.length : 0;
}

/** Serves due tenants, all at once or stage by stage; from the second call on, they are newcomers. */
export async function serveRollout(
  rollout: Rollout,
  tasks: readonly MigrationTask[],
  work: MigrationWork,
): Promise<Migrated> {
  const { context, failureLimit, hopeless, plain, setting } = rollout;
  if (setting.rollout === undefined) return serveAndCheck(rollout, tasks, work);
  const { pauseMs = 0, onCanaryFailure } = setting.rollout;
  const results: TenantResult[] = [];
  let isShared = false;
  for (const [index, part] of stagesOf(rollout, tasks).entries()) {
    const { stage } = part;
    if (index > 0 && pauseMs > 0 && !isStopped(context)) {
      const message = `Waiting ${pauseMs / 1000} s before ${stageName(stage)}`;
      setting.observe({ type: 'phase', message });
      await pause(pauseMs, context.signal);
    }
    if (stage.kind === 'canary') failureLimit.beginCanaries(part.tasks.length + hopeless, hopeless);
    if (isStopped(context)) {
      if (stage.kind === 'canary' && failureLimit.stop?.among === 'canaries') rollout.stoppedAt ??= stage;
      const reason = whySkipped(context);
      results.push(...part.tasks.map(({ tenant }) => untouched(tenant, 'skipped', { reason })));
      continue;
    }
    const observe = observePart(work.observe, results.length, tasks.length);
    const served = await serveStage(rollout, part, { ...work, observe });
    results.push(...served.results);
    isShared ||= served.isShared;
    if (failureLimit.isOpen) rollout.stoppedAt ??= stage;
    if (stage.kind === 'canary') failureLimit.endCanaries();
  }
  const isCanaries = failureLimit.isOpen && rollout.stoppedAt?.kind === 'canary';
  if (!isCanaries || onCanaryFailure !== 'rollback') return { results, isShared };
  const taken = await takeBack(plain, results, setting);
  rollout.rolledBack = taken.rolledBack;
  return { results: taken.results, isShared };
}

/** Undefined if all tenants were served at once. */
export function resultOf(rollout: Rollout): RolloutResult | undefined {
  if (rollout.setting.rollout === undefined) return undefined;
  const { begun: waves, planned = 0, rolledBack, checked, refused, unchecked, throttle, setting } = rollout;
  const { stop } = rollout.failureLimit;
  const stopped = stop && { ...stop, reason: stopReason(stop), stage: rollout.stoppedAt };
  const asked = setting.rollout?.check !== undefined && { checked, refused };
  return { waves, planned, stopped, rolledBack, ...asked, unchecked, heldBackMs: throttle?.heldBackMs };
}

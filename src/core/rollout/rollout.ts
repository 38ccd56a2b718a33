import type { TenantctlError } from '../../errors.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { whySkipped } from '../strategy/attempt.ts';
import type { FleetWork, Lesson } from '../strategy/work.ts';
import type { Observer } from '../report/event.ts';
import type { FleetPlan, Due } from '../fleet/plan-fleet.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { pause } from '../run/retry.ts';
import { serveInPhases } from '../strategy/serve-in-phases.ts';
import { createFailureLimit, stopReason } from './failure-limit.ts';
import { cutRollout } from './cut-rollout.ts';
import { findCanaries } from './find-canaries.ts';
import type { RolloutOptions } from './options.ts';
import type { RolloutResult, Stage, StageResult } from '../report/rollout-result.ts';
import type { RolloutSetting } from './setting.ts';
import { followStandbys } from './throttle.ts';
import { runChecks } from './run-checks.ts';
import { takeBack } from './take-back.ts';

/** What a run goes through its tenants with: all at once, or in steps that can be stopped. */
export interface Rollout {
  /** The run's context, with a failure limit where there is one. */
  readonly context: RunContext;
  /** Takes account of a plan whose tenants that are not due ended like this; checks them where that was asked for. */
  readonly open: (plan: FleetPlan, results: readonly TenantResult[]) => Promise<readonly TenantResult[]>;
  /** Serves tenants that are due; after the first time, they are newcomers. */
  readonly serve: (dues: readonly Due[], work: FleetWork) => Promise<TenantResult[]>;
  /** How it went; absent where it was all at once. */
  readonly result: () => RolloutResult | undefined;
}

/** A part of a rollout with the tenants that it is for. */
interface Part {
  readonly stage: Stage;
  readonly dues: readonly Due[];
}

/**
 * Works out how a run goes through its tenants, before anything is done.
 * @throws TenantctlError USAGE for canaries that the run is not for; TENANT_UNKNOWN and TENANT_NOT_ACTIVE for other
 *   canaries; REPLICA_LAG_UNKNOWN
 */
export async function prepareRollout(context: RunContext, setting: RolloutSetting): Promise<Rollout> {
  const { rollout: options } = setting;
  if (options === undefined) return allAtOnce(context);
  return inSteps(context, setting, options);
}

function allAtOnce(context: RunContext): Rollout {
  return {
    context,
    open: (_plan, results) => Promise.resolve(results),
    serve: (dues, work) => serveInPhases(context, dues, work),
    result: () => undefined,
  };
}

async function inSteps(
  plain: RunContext,
  setting: RolloutSetting,
  options: RolloutOptions,
): Promise<Rollout> {
  const { lanes, observe, command, listUpToDate } = setting;
  const { check, pauseMs = 0 } = options;
  const canary =
    options.canary !== undefined && 'tenants' in options.canary
      ? await findCanaries(plain.database, options.canary.tenants, setting)
      : options.canary;
  const failureLimit = createFailureLimit(options.maxFailures);
  const throttle =
    options.maxReplicaLagMs === undefined
      ? undefined
      : await followStandbys({ ...plain, failureLimit }, options.maxReplicaLagMs, observe);
  const context: RunContext = { ...plain, failureLimit, throttle };

  const lessons = new Map<string, Lesson>();
  const begun: StageResult[] = [];
  let planned: number | undefined;
  let unchecked = 0;
  let stoppedAt: Stage | undefined;
  let rolledBack: RolloutResult['rolledBack'];
  /** Canaries that were named and to which nothing can be done. */
  let hopeless = 0;

  const examine = async (
    tenants: readonly RegisteredTenant[],
  ): Promise<ReadonlyMap<string, TenantctlError>> => {
    if (check === undefined || tenants.length === 0) return new Map();
    observe({ type: 'phase', message: `Checking ${tenants.length} tenants` });
    const ledger = { command, direction: 'up' } as const;
    const found = await runChecks(context, tenants, check, { lanes, observe, ledger });
    unchecked += found.unchecked;
    const { refused } = found;
    return refused;
  };

  const stagesOf = (dues: readonly Due[]): Part[] => {
    const first = { number: 1, of: 1, tenants: dues.length };
    if (planned !== undefined)
      return dues.length === 0 ? [] : [{ stage: { ...first, kind: 'newcomers' }, dues }];
    const { canaries, waves } = cutRollout(dues, { canary, wave: options.wave });
    const hasCanaries = canaries.length + hopeless > 0;
    const parts: Part[] = hasCanaries
      ? [{ stage: { ...first, kind: 'canary', tenants: canaries.length }, dues: canaries }]
      : [];
    for (const [index, wave] of waves.entries()) {
      parts.push({
        stage: { kind: 'wave', number: index + 1, of: waves.length, tenants: wave.length },
        dues: wave,
      });
    }
    planned = parts.length;
    return parts;
  };

  const serveStage = async (part: Part, work: FleetWork): Promise<TenantResult[]> => {
    const { stage, dues } = part;
    const started = Date.now();
    observe({ type: 'wave', ...stage });
    const served = dues.length === 0 ? [] : await serveInPhases(context, dues, { ...work, lessons });
    const toCheck = new Set(
      served
        .filter(
          ({ outcome }) => outcome === 'migrated' || (listUpToDate === true && outcome === 'up-to-date'),
        )
        .map(({ schema }) => schema),
    );
    const asked = dues.map(({ tenant }) => tenant).filter(({ schema }) => toCheck.has(schema));
    const before = unchecked;
    const refused = await examine(asked);
    const results = served.map((result) => refusedResult(result, refused));
    for (const result of results) {
      if (refused.has(result.schema))
        work.observe({ type: 'tenant', result, done: served.length, due: dues.length });
    }
    const count = (outcome: TenantResult['outcome']) =>
      results.filter((each) => each.outcome === outcome).length;
    begun.push({
      ...stage,
      migrated: count('migrated'),
      failed: count('failed'),
      skipped: count('skipped'),
      ...(check !== undefined && { checked: asked.length - (unchecked - before), refused: refused.size }),
      durationMs: Date.now() - started,
    });
    return results;
  };

  return {
    context,
    async open(plan, results) {
      failureLimit.expect(plan.due.length, plan.problems.length);
      if (canary instanceof Set)
        hopeless = plan.problems.filter(({ tenant }) => canary.has(tenant.schema)).length;
      if (check === undefined || listUpToDate !== true || isStopped(context)) return results;
      const refused = await examine(plan.upToDate.map(({ tenant }) => tenant));
      return results.map((result) => refusedResult(result, refused));
    },
    async serve(dues, work) {
      let results: TenantResult[] = [];
      const parts = stagesOf(dues);
      for (const [index, part] of parts.entries()) {
        const { stage } = part;
        if (index > 0 && pauseMs > 0 && !isStopped(context)) {
          observe({ type: 'phase', message: `Waiting ${pauseMs / 1000} s before ${stageName(stage)}` });
          await pause(pauseMs, context.signal);
        }
        if (stage.kind === 'canary') failureLimit.beginCanaries(part.dues.length + hopeless, hopeless);
        if (isStopped(context)) {
          stoppedAt ??=
            stage.kind === 'canary' && failureLimit.stop?.among === 'canaries' ? stage : undefined;
          results.push(
            ...part.dues.map(({ tenant }) => untouched(tenant, 'skipped', { reason: whySkipped(context) })),
          );
          continue;
        }
        const before = results.length;
        const shifted: Observer = (event) =>
          work.observe(
            event.type === 'tenant' ? { ...event, done: event.done + before, due: dues.length } : event,
          );
        results.push(...(await serveStage(part, { ...work, observe: shifted })));
        if (failureLimit.isOpen) stoppedAt ??= stage;
        if (stage.kind === 'canary') failureLimit.endCanaries();
      }
      const isCanaries = failureLimit.isOpen && stoppedAt?.kind === 'canary';
      if (isCanaries && options.onCanaryFailure === 'rollback') {
        const taken = await takeBack(plain, results, setting);
        ({ results, rolledBack } = taken);
      }
      return results;
    },
    result: () => ({
      waves: begun,
      planned: planned ?? 0,
      ...(failureLimit.stop !== undefined && {
        stopped: { ...failureLimit.stop, reason: stopReason(failureLimit.stop), stage: stoppedAt },
      }),
      rolledBack,
      unchecked,
      ...(throttle !== undefined && { heldBackMs: throttle.heldBackMs }),
    }),
  };
}

/** A tenant that its check refused has failed, whatever was applied to it. */
function refusedResult(result: TenantResult, refused: ReadonlyMap<string, TenantctlError>): TenantResult {
  const error = refused.get(result.schema);
  return error === undefined ? result : { ...result, outcome: 'failed', error };
}

/** "the canaries", "wave 2 of 7", "the newcomers". */
export function stageName({ kind, number, of }: Stage): string {
  if (kind === 'wave') return `wave ${number} of ${of}`;
  return kind === 'canary' ? 'the canaries' : 'the newcomers';
}

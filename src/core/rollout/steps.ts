import type { TenantctlError } from '../../errors.ts';
import type { FleetPlan, MigrationTask } from '../fleet/plan-fleet.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { Observer } from '../report/event.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import type { RolloutResult, Stage, StageResult } from '../report/rollout-result.ts';
import { pause } from '../run/retry.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { whySkipped } from '../serve/session.ts';
import type { Lesson } from '../strategy/lesson.ts';
import type { MigrationWork } from '../strategy/migration-work.ts';
import { serveInPhases, type Migrated } from '../strategy/serve-in-phases.ts';
import { cutRollout, type CutOptions } from './cut-rollout.ts';
import { stopReason, type RolloutLimit } from './failure-limit.ts';
import type { RolloutOptions } from './options.ts';
import { runChecks } from './run-checks.ts';
import type { RolloutSetting } from './setting.ts';
import { takeBack } from './take-back.ts';
import type { StandbyThrottle } from './throttle.ts';

/** The state of a rollout in stages. */
export interface Steps {
  /** The run's context without limit and throttle: for undoing. */
  readonly plain: RunContext;
  readonly context: RunContext;
  readonly setting: RolloutSetting;
  readonly options: RolloutOptions;
  readonly canaries: CutOptions['canary'];
  readonly failureLimit: RolloutLimit;
  readonly throttle: StandbyThrottle | undefined;
  /** What earlier stages have shown of each plan. */
  readonly lessons: Map<string, Lesson>;
  readonly begun: StageResult[];
  /** How many stages were planned; undefined before the first call of serveStages. */
  planned?: number;
  /** Tenants that were not checked, because the run was stopped. */
  unchecked: number;
  stoppedAt?: Stage | undefined;
  rolledBack?: RolloutResult['rolledBack'];
  /** Canaries that were named, and for which nothing can be done. */
  hopeless: number;
}

/** A stage with its tenants. */
interface Part {
  readonly stage: Stage;
  readonly tasks: readonly MigrationTask[];
}

/** Counts the tenants of a plan for the failure limit, and checks those that are up to date if that was asked for. */
export async function openPlan(
  steps: Steps,
  plan: FleetPlan,
  results: readonly TenantResult[],
): Promise<readonly TenantResult[]> {
  const { canaries, context, failureLimit, options, setting } = steps;
  failureLimit.expect(plan.due.length, plan.problems.length);
  if (canaries instanceof Set)
    steps.hopeless = plan.problems.filter(({ tenant }) => canaries.has(tenant.schema)).length;
  if (options.check === undefined || setting.listUpToDate !== true || isStopped(context)) return results;
  const refused = await check(
    steps,
    plan.upToDate.map(({ tenant }) => tenant),
  );
  return results.map((result) => refusedResult(result, refused));
}

/** Serves tenants stage by stage, until the failure limit stops the run. */
export async function serveStages(
  steps: Steps,
  tasks: readonly MigrationTask[],
  work: MigrationWork,
): Promise<Migrated> {
  const { context, failureLimit, hopeless, options, plain, setting } = steps;
  const { pauseMs = 0, onCanaryFailure } = options;
  const results: TenantResult[] = [];
  let isShared = false;
  for (const [index, part] of stagesOf(steps, tasks).entries()) {
    const { stage } = part;
    if (index > 0 && pauseMs > 0 && !isStopped(context)) {
      const message = `Waiting ${pauseMs / 1000} s before ${stageName(stage)}`;
      setting.observe({ type: 'phase', message });
      await pause(pauseMs, context.signal);
    }
    if (stage.kind === 'canary') failureLimit.beginCanaries(part.tasks.length + hopeless, hopeless);
    if (isStopped(context)) {
      if (stage.kind === 'canary' && failureLimit.stop?.among === 'canaries') steps.stoppedAt ??= stage;
      const reason = whySkipped(context);
      results.push(...part.tasks.map(({ tenant }) => untouched(tenant, 'skipped', { reason })));
      continue;
    }
    const before = results.length;
    const observe: Observer = (event) =>
      work.observe(
        event.type === 'tenant' ? { ...event, done: event.done + before, due: tasks.length } : event,
      );
    const served = await serveStage(steps, part, { ...work, observe });
    results.push(...served.results);
    isShared ||= served.isShared;
    if (failureLimit.isOpen) steps.stoppedAt ??= stage;
    if (stage.kind === 'canary') failureLimit.endCanaries();
  }
  const isCanaries = failureLimit.isOpen && steps.stoppedAt?.kind === 'canary';
  if (!isCanaries || onCanaryFailure !== 'rollback') return { results, isShared };
  const taken = await takeBack(plain, results, setting);
  steps.rolledBack = taken.rolledBack;
  return { results: taken.results, isShared };
}

/** How a rollout went. */
export function resultOf({
  begun,
  planned = 0,
  failureLimit: { stop },
  stoppedAt,
  rolledBack,
  unchecked,
  throttle,
}: Steps): RolloutResult {
  return {
    waves: begun,
    planned,
    ...(stop !== undefined && { stopped: { ...stop, reason: stopReason(stop), stage: stoppedAt } }),
    rolledBack,
    unchecked,
    ...(throttle !== undefined && { heldBackMs: throttle.heldBackMs }),
  };
}

function stagesOf(steps: Steps, tasks: readonly MigrationTask[]): Part[] {
  const first = { number: 1, of: 1, tenants: tasks.length };
  if (steps.planned !== undefined)
    return tasks.length === 0 ? [] : [{ stage: { ...first, kind: 'newcomers' }, tasks }];
  const { canaries, waves } = cutRollout(tasks, { canary: steps.canaries, wave: steps.options.wave });
  const parts: Part[] =
    canaries.length + steps.hopeless > 0
      ? [{ stage: { ...first, kind: 'canary', tenants: canaries.length }, tasks: canaries }]
      : [];
  for (const [index, wave] of waves.entries()) {
    const stage = { kind: 'wave', number: index + 1, of: waves.length, tenants: wave.length } as const;
    parts.push({ stage, tasks: wave });
  }
  steps.planned = parts.length;
  return parts;
}

async function serveStage(steps: Steps, { stage, tasks }: Part, work: MigrationWork): Promise<Migrated> {
  const { begun, context, lessons, options, setting } = steps;
  const started = Date.now();
  setting.observe({ type: 'wave', ...stage });
  const served =
    tasks.length === 0
      ? { results: [], isShared: false }
      : await serveInPhases(context, tasks, { ...work, lessons });
  const isChecked = ({ outcome }: TenantResult) =>
    outcome === 'migrated' || (setting.listUpToDate === true && outcome === 'up-to-date');
  const toCheck = new Set(served.results.filter(isChecked).map(({ schema }) => schema));
  const asked = tasks.map(({ tenant }) => tenant).filter(({ schema }) => toCheck.has(schema));
  const before = steps.unchecked;
  const refused = await check(steps, asked);
  const results = served.results.map((result) => refusedResult(result, refused));
  for (const result of results) {
    if (refused.has(result.schema))
      work.observe({ type: 'tenant', result, done: served.results.length, due: tasks.length });
  }
  const count = (outcome: TenantResult['outcome']) =>
    results.filter((each) => each.outcome === outcome).length;
  const checked = asked.length - (steps.unchecked - before);
  begun.push({
    ...stage,
    migrated: count('migrated'),
    failed: count('failed'),
    skipped: count('skipped'),
    ...(options.check !== undefined && { checked, refused: refused.size }),
    durationMs: Date.now() - started,
  });
  return { results, isShared: served.isShared };
}

/** Checks tenants if there is a check. @returns the errors of those that it refused, by schema */
async function check(
  steps: Steps,
  tenants: readonly RegisteredTenant[],
): Promise<ReadonlyMap<string, TenantctlError>> {
  const { context, options, setting } = steps;
  const { lanes, observe, command } = setting;
  if (options.check === undefined || tenants.length === 0) return new Map();
  observe({ type: 'phase', message: `Checking ${tenants.length} tenants` });
  const ledger = { command, direction: 'up' } as const;
  const { refused, unchecked } = await runChecks(context, tenants, options.check, { lanes, observe, ledger });
  steps.unchecked += unchecked;
  return refused;
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

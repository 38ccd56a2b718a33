import type { TenantctlError } from '../../errors.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { TenantResult } from '../report/results.ts';
import type { Stage } from '../report/rollout-result.ts';
import { serve } from '../serve/serve.ts';
import type { Migrated, MigrationWork } from '../strategy/migration-work.ts';
import { serveInPhases } from '../strategy/serve-in-phases.ts';
import { cutRollout } from './cut-rollout.ts';
import type { Rollout } from './prepare-rollout.ts';
import { checkTenant } from './tenant-check.ts';

interface Part {
  readonly stage: Stage;
  readonly tasks: readonly MigrationTask[];
}

/** Newcomers are one stage after all others. */
export function stagesOf(rollout: Rollout, tasks: readonly MigrationTask[]): Part[] {
  const first = { number: 1, of: 1, tenants: tasks.length };
  if (rollout.planned !== undefined)
    return tasks.length === 0 ? [] : [{ stage: { ...first, kind: 'newcomers' }, tasks }];
  const { canaries, waves } = cutRollout(tasks, rollout.canaries, rollout.setting.rollout?.wave);
  const parts: Part[] = [];
  if (canaries.length + rollout.hopeless > 0)
    parts.push({ stage: { ...first, kind: 'canary', tenants: canaries.length }, tasks: canaries });
  for (const [index, wave] of waves.entries()) {
    const stage = { kind: 'wave', number: index + 1, of: waves.length, tenants: wave.length } as const;
    parts.push({ stage, tasks: wave });
  }
  rollout.planned = parts.length;
  return parts;
}

/** Serves the tenants of a stage, then checks them. */
export async function serveStage(
  rollout: Rollout,
  { stage, tasks }: Part,
  work: MigrationWork,
): Promise<Migrated> {
  const { begun, context, lessons, setting } = rollout;
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
  const before = rollout.unchecked;
  const refused = await checkAll(rollout, asked);
  const results = served.results.map((result) => refusedResult(result, refused));
  for (const result of results) {
    if (refused.has(result.schema))
      work.observe({ type: 'tenant', result, done: served.results.length, due: tasks.length });
  }
  const count = (outcome: TenantResult['outcome']) =>
    results.filter((each) => each.outcome === outcome).length;
  const checked = asked.length - (rollout.unchecked - before);
  begun.push({
    ...stage,
    migrated: count('migrated'),
    failed: count('failed'),
    skipped: count('skipped'),
    ...(setting.rollout?.check !== undefined && { checked, refused: refused.size }),
    durationMs: Date.now() - started,
  });
  return { results, isShared: served.isShared };
}

/** Runs the check, if any, in parallel. A refusal counts as a failure. @returns the errors by schema */
export async function checkAll(
  rollout: Rollout,
  tenants: readonly RegisteredTenant[],
): Promise<ReadonlyMap<string, TenantctlError>> {
  const { context, setting } = rollout;
  const { lanes, observe, command, rollout: { check } = {} } = setting;
  const refused = new Map<string, TenantctlError>();
  if (check === undefined || tenants.length === 0) return refused;
  observe({ type: 'phase', message: `Checking ${tenants.length} tenants` });
  const tasks = tenants.map((tenant) => ({ tenant }));
  // A check writes nothing: it need not wait for standbys.
  const { outcomes } = await serve({ ...context, throttle: undefined }, tasks, {
    lanes,
    observe,
    ledger: { command, direction: 'up' },
    async attempt({ tenant }) {
      const error = await checkTenant(context, tenant, check);
      if (error === undefined) return { kind: 'done', done: undefined };
      return { kind: 'failed', error, mayRepeat: true };
    },
  });
  for (const outcome of outcomes) {
    if (outcome.kind === 'failed') refused.set(outcome.task.tenant.schema, outcome.error);
    else if (outcome.kind === 'skipped') rollout.unchecked += 1;
  }
  return refused;
}

/** A tenant that fails its check has failed, even though its migrations were applied. */
export function refusedResult(
  result: TenantResult,
  refused: ReadonlyMap<string, TenantctlError>,
): TenantResult {
  const error = refused.get(result.schema);
  return error === undefined ? result : { ...result, outcome: 'failed', error };
}

/** "the canaries", "wave 2 of 7", "the newcomers". */
export function stageName({ kind, number, of }: Stage): string {
  if (kind === 'wave') return `wave ${number} of ${of}`;
  return kind === 'canary' ? 'the canaries' : 'the newcomers';
}

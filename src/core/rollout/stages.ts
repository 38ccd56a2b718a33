import { startStopwatch } from '../../stopwatch.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { observePart } from '../report/event.ts';
import { totalsOf, untouched } from '../report/results.ts';
import type { Stage, StageResult } from '../report/rollout-result.ts';
import type { Migrated, MigrationWork } from '../strategy/migration-work.ts';
import { serveInPhases } from '../strategy/serve-in-phases.ts';
import { checkResults } from './check-results.ts';
import { cutRollout } from './cut-rollout.ts';
import type { Rollout } from './prepare-rollout.ts';

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

export async function serveStage(
  rollout: Rollout,
  { stage, tasks }: Part,
  work: MigrationWork,
): Promise<Migrated> {
  const { begun, lessons, setting, checked, refused } = rollout;
  const elapsedMs = startStopwatch();
  setting.observe({ type: 'wave', ...stage });
  const served = await serveAndCheck(rollout, tasks, { ...work, lessons });
  const { upToDate, changed: migrated, failed, skipped } = totalsOf(served.results);
  const result: StageResult = {
    ...stage,
    upToDate,
    migrated,
    failed,
    skipped,
    ...(setting.rollout?.check !== undefined && {
      checked: rollout.checked - checked,
      refused: rollout.refused - refused,
    }),
    durationMs: elapsedMs(),
  };
  begun.push(result);
  setting.observe({ type: 'wave-done', ...result });
  return served;
}

/** Serves tenants, then checks them. Those that are due nothing but a check come first: it may stop the run. */
export async function serveAndCheck(
  rollout: Rollout,
  tasks: readonly MigrationTask[],
  work: MigrationWork,
): Promise<Migrated> {
  const [open, due] = [tasks.filter(isOnlyChecked), tasks.filter((task) => !isOnlyChecked(task))];
  const results = await checkResults(
    rollout,
    open.map(({ tenant }) => untouched(tenant, 'up-to-date')),
    open,
  );
  for (const [index, result] of results.entries())
    work.observe({ type: 'tenant', result, done: index + 1, due: tasks.length });
  if (due.length === 0) return { results, isShared: false };
  const observe = observePart(work.observe, open.length, tasks.length);
  const served = await serveInPhases(rollout.context, due, { ...work, observe });
  const checked = await checkResults(rollout, served.results, due);
  for (const result of checked)
    if (!served.results.includes(result))
      work.observe({ type: 'tenant', result, done: tasks.length, due: tasks.length });
  return { results: [...results, ...checked], isShared: served.isShared };
}

function isOnlyChecked({ plan }: MigrationTask): boolean {
  return plan.steps.length === 0;
}

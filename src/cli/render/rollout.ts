import {
  stageName,
  type RolloutResult,
  type Stage,
  type StageResult,
} from '../../core/report/rollout-result.ts';
import { counted, duration, sumOf } from '../../wording.ts';
import { markOf, type Look } from './look.ts';
import { wrap } from './wrap.ts';

/** "Wave 2 of 7: 70 tenants ✔ 70 done (3.1 s)" */
export function renderStage(stage: StageResult, look: Look): string {
  const { kind, number, of, tenants, failed, skipped, refused = 0, durationMs } = stage;
  const title = { canary: 'Canaries', wave: `Wave ${number} of ${of}`, newcomers: 'Newcomers' }[kind];
  const mark = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
  const sums = sumOf([
    [stage.migrated, 'done'],
    [stage.upToDate, 'up to date'],
    [failed, refused > 0 ? `failed (${refused} refused by the check)` : 'failed'],
    [skipped, 'not started'],
  ]);
  return `${title}: ${counted(tenants, 'tenant')} ${mark} ${sums} (${duration(durationMs)})`;
}

/** "canary 3 of 5", "wave 2 of 7" @param done how many tenants of the run are done */
export function whereabouts(stage: Stage, done: number): string {
  const { kind, tenants } = stage;
  return kind === 'canary' ? `canary ${Math.min(done, tenants)} of ${tenants}` : stageName(stage);
}

/** Checked and unchecked tenants, waits for a standby, where and why the rollout stopped, and what was undone. */
export function renderRollout(rollout: RolloutResult, look: Look): string[] {
  const { paint, marks } = look;
  const { stopped, rolledBack, checked, refused = 0, unchecked, heldBackMs = 0 } = rollout;
  const lines: string[] = [];
  if (checked !== undefined)
    lines.push(
      `${markOf(look, { failed: refused > 0 })} Check: ${checked - refused} passed, ${refused} refused`,
    );
  if (unchecked > 0) lines.push(`${paint.yellow(marks.warning)} ${counted(unchecked, 'tenant')} not checked`);
  if (heldBackMs > 0) lines.push(`  Held back by a standby for ${duration(heldBackMs)}`);
  if (stopped !== undefined)
    lines.push(
      `${paint.red(marks.failed)} ${wrap(`The rollout was stopped${stopped.stage === undefined ? ' before its start' : ` at ${stageName(stopped.stage)}`}: ${stopped.reason}`, 2, look)}`,
    );
  if (rolledBack !== undefined) {
    const { tenants, failed } = rolledBack;
    const rest = failed === 0 ? '' : `; this failed for ${failed}`;
    lines.push(
      `${markOf(look, { failed: failed > 0 })} Its migrations were undone for ${counted(tenants, 'tenant')}${rest}`,
    );
  }
  return lines;
}

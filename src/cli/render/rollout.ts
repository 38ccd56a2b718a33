import type { ChalkInstance } from 'chalk';
import type { RolloutResult, Stage } from '../../core/report/rollout-result.ts';
import { duration } from './words.ts';
import { counted } from '../../wording.ts';

/** "Canaries: 5 tenants", "Wave 2 of 7: 70 tenants": when it is begun. */
export function announcement(stage: Stage): string {
  const title = { canary: 'Canaries', wave: `Wave ${stage.number} of ${stage.of}`, newcomers: 'Newcomers' };
  return `${title[stage.kind]}: ${counted(stage.tenants, 'tenant')}`;
}

/** "canary 3 of 5", "wave 2 of 7". @param done how many tenants of the run have been done */
export function whereabouts(stage: Stage, done: number): string {
  const { kind, number, of, tenants } = stage;
  if (kind === 'wave') return `wave ${number} of ${of}`;
  return kind === 'canary' ? `canary ${Math.min(done, tenants)} of ${tenants}` : 'newcomers';
}

/** What was not checked, how long a standby held the run back, where and why it was stopped, what was undone. */
export function renderRollout(rollout: RolloutResult, paint: ChalkInstance): string[] {
  const { stopped, rolledBack, unchecked, heldBackMs = 0 } = rollout;
  const lines: string[] = [];
  if (unchecked > 0)
    lines.push(`${paint.yellow('!')} ${counted(unchecked, 'tenant')} migrated and not checked`);
  if (heldBackMs > 0) lines.push(`  Held back by a standby for ${duration(heldBackMs)}`);
  if (stopped !== undefined)
    lines.push(`${paint.red('✖')} The rollout was stopped${place(stopped.stage)}: ${stopped.reason}`);
  if (rolledBack !== undefined) {
    const failed = rolledBack.failed === 0 ? '' : `, and could not be for ${rolledBack.failed}`;
    const mark = rolledBack.failed === 0 ? paint.green('✔') : paint.red('✖');
    lines.push(
      `${mark} What it had applied was undone for ${counted(rolledBack.tenants, 'tenant')}${failed}`,
    );
  }
  return lines;
}

function place(stage: Stage | undefined): string {
  if (stage === undefined) return ' before it began';
  return stage.kind === 'wave'
    ? ` in wave ${stage.number} of ${stage.of}`
    : ` at its ${stage.kind === 'canary' ? 'canaries' : stage.kind}`;
}

import type { FleetSnapshot } from '../../core/fleet/snapshot.ts';
import type { Run } from '../../core/ledger/read-runs.ts';
import { counted, duration, secondOf } from '../../wording.ts';
import { blockerLine } from './error.ts';
import type { Look } from './look.ts';
import { progressLine } from './progress-line.ts';
import { renderStatus } from './status.ts';

/** Commands whose tenants are behind until they are done. */
const FORWARD = new Set(['migrate tenants', 'migrate all']);

/**
 * The status of the fleet, and below it each run at work.
 * @param snapshots the latest ones, oldest first: the rate is that of the time between them
 */
export async function renderSnapshot(
  snapshots: readonly FleetSnapshot[],
  list: 'none' | 'attention' | 'all',
  look: Look,
): Promise<string> {
  const latest = snapshots.at(-1);
  if (latest === undefined) return '';
  const { status, runs, blockers } = latest;
  const { paint } = look;
  const lines = runs.flatMap((run) => [
    `${paint.bold(`Run ${run.id}`)} ${run.command}, ${progressOf(run, latest, rateOf(run, snapshots))}`,
    `  ${paint.dim(`${run.host}, process ${run.pid}, for ${duration(Math.max(0, latest.at.getTime() - run.startedAt.getTime()))}`)}`,
  ]);
  const waits = blockers.map(
    (blocker) => `  ${paint.yellow(look.marks.warning)} blocked by ${blockerLine(blocker)}`,
  );
  const work = runs.length === 0 ? [paint.dim('No run is at work.')] : [...lines, ...waits];
  return [paint.dim(`${secondOf(latest.at)} UTC`), await renderStatus(status, list, look), '', ...work].join(
    '\n',
  );
}

function progressOf(run: Run, { status }: FleetSnapshot, rate: number): string {
  const { done, failed } = doneIn(run);
  if (!FORWARD.has(run.command)) return `${counted(done, 'tenant')}${failed > 0 ? `, ${failed} failed` : ''}`;
  return progressLine({ done, due: done + status.tenants.behind, failed, rate });
}

function doneIn({ totals }: Run): { readonly done: number; readonly failed: number } {
  const { changed = 0, failed = 0 } = totals;
  return { done: changed + failed, failed };
}

/** Tenants per second since the oldest snapshot that has the run. */
function rateOf(run: Run, snapshots: readonly FleetSnapshot[]): number {
  const [first] = snapshots.flatMap(({ at, runs }) => {
    const then = runs.find(({ id }) => id === run.id);
    return then === undefined ? [] : { at, done: doneIn(then).done };
  });
  const latest = snapshots.at(-1);
  if (first === undefined || latest === undefined) return 0;
  const seconds = (latest.at.getTime() - first.at.getTime()) / 1000;
  return seconds > 0 ? (doneIn(run).done - first.done) / seconds : 0;
}

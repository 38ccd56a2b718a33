import type { BackfillResult } from '../../core/commands/backfill-tenants.ts';
import type { FleetResult, TenantResult } from '../../core/report/results.ts';
import { counted, duration, listed, sumOf } from '../../wording.ts';
import { renderFailures } from './failures.ts';
import { notActive, renderLeftOut, resultMark } from './fleet.ts';
import { LISTED, type Look } from './look.ts';
import { renderRollout } from './rollout.ts';
import { howToResume } from './run-end.ts';

/** Failures with reasons, the totals, and how to go on. */
export function renderWrite(result: FleetResult | BackfillResult, verbose: boolean, look: Look): string {
  const { paint, marks } = look;
  const { run, totals, tenants, rollout, interrupted, durationMs } = result;
  if (totals.selected === 0)
    return `${paint.green(marks.ok)} No ACTIVE tenants are selected: nothing to do.${notActive(result)}`;
  const having = (outcome: TenantResult['outcome']) => tenants.filter((tenant) => tenant.outcome === outcome);
  const written = having('written').map(({ clerkOrgId }) => clerkOrgId);
  const sums = sumOf([
    [totals.changed, 'written'],
    [totals.upToDate, 'written before'],
    [totals.failed, 'failed'],
    [totals.skipped, 'left out'],
  ]);
  const rows = 'rows' in totals ? `; ${rowsIn(totals, durationMs)}` : '';
  return [
    ...renderFailures(having('failed'), verbose, look),
    ...renderLeftOut(having('skipped'), look),
    ...(rollout === undefined ? [] : renderRollout(rollout, look)),
    `${resultMark(result, look)} ${interrupted ? 'Interrupted. ' : ''}${counted(totals.selected, 'tenant')}: ${sums}${rows} (${duration(durationMs)})${notActive(result)}`,
    ...(written.length > 0 && (verbose || written.length <= LISTED)
      ? [paint.dim(`  ${listed(written.toSorted(), Infinity)}`)]
      : []),
    ...(run !== undefined && totals.failed + totals.skipped > 0
      ? [`${paint.cyan(marks.arrow)} ${howToResume(run)}`]
      : []),
  ].join('\n');
}

/** "1200 rows in 12 batches, 400 rows/s" */
function rowsIn({ rows, batches }: BackfillResult['totals'], durationMs: number): string {
  const rate = Math.round((rows * 1_000) / Math.max(1, durationMs));
  return `${counted(rows, 'row')} in ${batches} ${batches === 1 ? 'batch' : 'batches'}, ${rate} rows/s`;
}

import type { RunEnding } from './recorded-run.ts';
import type { FleetResult } from '../report/results.ts';

/** How the ledger has the end of a run. */
export function endingOf({ totals, interrupted }: FleetResult): RunEnding {
  const outcome = totals.failed > 0 ? 'failed' : interrupted ? 'interrupted' : 'done';
  return { outcome, totals };
}

import type { MigrationNotice } from '../report/notices.ts';

/** How a run ended: no driver is loaded for it. */
export interface RunEnding {
  readonly outcome: 'done' | 'failed' | 'interrupted';
  readonly totals: Readonly<Record<string, number | undefined>>;
  readonly notices?: readonly MigrationNotice[];
}

/**
 * The ending of a run of which each tenant has an outcome. Pure.
 * @param words the outcomes of tenants that were changed, and of those that needed nothing
 */
export function endingOfOutcomes<Outcome extends string>(
  tenants: readonly { readonly outcome: Outcome | 'failed' | 'skipped' }[],
  words: { readonly changed: readonly Outcome[]; readonly upToDate: readonly Outcome[] },
): RunEnding {
  const count = (...outcomes: readonly string[]) =>
    tenants.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const totals = {
    selected: tenants.length,
    upToDate: count(...words.upToDate),
    changed: count(...words.changed),
    failed: count('failed'),
    skipped: count('skipped'),
  };
  return { outcome: totals.failed > 0 ? 'failed' : totals.skipped > 0 ? 'interrupted' : 'done', totals };
}

import type { Database } from '../../db/database.ts';
import { startStopwatch } from '../../stopwatch.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import type { RunCommand } from '../ledger/run-rows.ts';
import { observeRun, silent, type Observer } from '../report/event.ts';
import type { Concurrency } from '../run/lanes.ts';
import { createRunContext, type RunContext, type RunOptions } from '../run/run-context.ts';

/** Options of a verb that applies no migrations. */
export interface VerbOptions extends Omit<RunOptions, 'recordings'> {
  readonly observe?: Observer | undefined;
}

/** Options of such a verb that takes several tenants. */
export interface FleetVerbOptions extends VerbOptions {
  /** Tenants in parallel; if absent 4, or fewer if few connections are free. */
  readonly concurrency?: Concurrency | undefined;
}

/** What such a verb works with. */
export interface VerbRun {
  readonly context: RunContext;
  readonly run: RecordedRun;
  readonly observe: Observer;
  /** Milliseconds since the run began. */
  readonly elapsedMs: () => number;
}

interface VerbCall<T> {
  readonly command: RunCommand;
  /** Checked. */
  readonly options: VerbOptions;
  /** What the ledger records of the call. */
  readonly asked: Readonly<Record<string, unknown>>;
  readonly endingOf: (value: T) => RunEnding;
}

/** Runs and records a verb that applies no migrations; inRun is for the others. @throws what `use` throws */
export function inVerbRun<T extends object>(
  database: Database,
  { command, options: given, asked, endingOf }: VerbCall<T>,
  use: (verbRun: VerbRun) => Promise<T>,
): Promise<T & { readonly run?: number }> {
  const { keepRuns: keep, runLabel: label, observe: heard = silent, ...options } = given;
  const begin = (run: RecordedRun) =>
    use({
      context: createRunContext(database, options, run),
      run,
      observe: observeRun(heard, run),
      elapsedMs: startStopwatch(),
    });
  return withRun(database, { command, options: asked, label, keep, observe: heard }, begin, endingOf);
}

import { type Direction, type Migration, runsInTransaction } from '../files/load.ts';
import type { Step } from '../plan/plan.ts';

/** Consecutive migrations that share a transaction, or one outside a transaction. */
export interface Segment {
  readonly isOutside: boolean;
  readonly steps: readonly Step[];
  readonly migrations: readonly Migration[];
  readonly isLast: boolean;
}

/** Takes the next segment from the steps of a plan. Pure. */
export function nextSegment(
  steps: readonly Step[],
  migrations: readonly Migration[],
  direction: Direction,
): Segment {
  const outside = migrations.findIndex((migration) => !runsInTransaction(migration, direction));
  const isOutside = outside === 0;
  const length = isOutside ? 1 : outside === -1 ? steps.length : outside;
  return {
    isOutside,
    steps: steps.slice(0, length),
    migrations: migrations.slice(0, length),
    isLast: length === steps.length,
  };
}

import { type Direction, type Migration, runsInTransaction } from '../files/load.ts';
import type { Step } from '../plan/plan.ts';

/** Consecutive migrations that share a transaction, or that run outside one. */
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
  const kinds = migrations.map((migration) => !runsInTransaction(migration, direction));
  const isOutside = kinds[0] === true;
  const other = kinds.indexOf(!isOutside);
  const length = other === -1 ? steps.length : other;
  return {
    isOutside,
    steps: steps.slice(0, length),
    migrations: migrations.slice(0, length),
    isLast: length === steps.length,
  };
}

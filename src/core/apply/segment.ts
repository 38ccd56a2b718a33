import { type Direction, type Migration, runsInTransaction } from '../files/load.ts';
import type { Step } from '../plan/plan.ts';
import type { Hooks } from './hooks.ts';

/** Consecutive migrations that share a transaction, with hooks around them, or that run outside one. */
export interface Segment extends Hooks {
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

/**
 * Adds the hooks that are due around a task. Beside a migration outside a transaction, a hook has a transaction of its
 * own. Pure.
 */
export function withHooks(segment: Segment, { before, after }: Hooks): Segment {
  if (!segment.isOutside) return { ...segment, before, after: segment.isLast ? after : undefined };
  if (before !== undefined) return { isOutside: false, steps: [], migrations: [], before, isLast: false };
  return after === undefined ? segment : { ...segment, isLast: false };
}

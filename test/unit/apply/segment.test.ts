import { expect, test } from 'vitest';
import { nextSegment } from '../../../src/core/apply/segment.ts';
import type { Migration } from '../../../src/core/files/load.ts';
import type { Step } from '../../../src/core/plan/plan.ts';

/** The next segment of a plan, "o" standing for a migration outside a transaction. */
function cut(plan: string): [isOutside: boolean, steps: number, isLast: boolean] {
  const kinds = Array.from(plan);
  const steps = kinds.map((_, index) => ({ name: String(index) }) as Step);
  const migrations = kinds.map(
    (kind) => ({ upInTransaction: kind !== 'o', downInTransaction: true }) as Migration,
  );
  const segment = nextSegment(steps, migrations, 'up');
  expect(segment.migrations).toHaveLength(segment.steps.length);
  return [segment.isOutside, segment.steps.length, segment.isLast];
}

test('consecutive migrations form a segment if all run in a transaction, or all outside one', () => {
  expect(cut('')).toEqual([false, 0, true]);
  expect(cut('tt')).toEqual([false, 2, true]);
  expect(cut('tto')).toEqual([false, 2, false]);
  expect(cut('ott')).toEqual([true, 1, false]);
  expect(cut('oot')).toEqual([true, 2, false]);
  expect(cut('oo')).toEqual([true, 2, true]);
});

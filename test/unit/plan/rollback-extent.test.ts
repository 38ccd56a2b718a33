import { expect, test } from 'vitest';
import type { Plan } from '../../../src/core/plan/plan.ts';
import { stillPlanned } from '../../../src/core/plan/rollback-extent.ts';

function planOf(...names: string[]): Plan {
  const steps = names.map((name) => ({
    name,
    file: { name, stem: name, path: `/migrations/${name}`, format: 'sql' as const },
  }));
  return { steps, batch: 1, warnings: [] };
}

test('what was planned is undone as long as the history asks for it', () => {
  const planned = planOf('c', 'b', 'a');
  expect(stillPlanned(planOf('c', 'b', 'a'), planned, []).steps).toHaveLength(3);
  expect(stillPlanned(planOf('b', 'a'), planned, ['c']).steps.map((step) => step.name)).toEqual(['b', 'a']);
});

test('what an earlier try or another run has left of it is undone, and what was applied again is not', () => {
  const planned = planOf('c', 'b', 'a');
  expect(stillPlanned(planOf('b', 'a'), planned, []).steps.map((step) => step.name)).toEqual(['b', 'a']);
  expect(stillPlanned(planOf('a'), planned, ['c']).steps.map((step) => step.name)).toEqual(['a']);
  expect(stillPlanned(planOf('c', 'b', 'a'), planned, ['c']).problem?.code).toBe('HISTORY_CHANGED');
});

test('a batch that another run has undone is not followed by the batch before it', () => {
  expect(stillPlanned(planOf('y', 'x'), planOf('c', 'b'), [])).toEqual({ steps: [], batch: 0, warnings: [] });
  expect(stillPlanned(planOf('y', 'x'), planOf('c', 'b'), ['c', 'b']).problem).toBeUndefined();
});

test('another run that came in between is told, with what was left alone', () => {
  const { problem, steps } = stillPlanned(planOf('y'), planOf('c', 'b', 'a'), ['c']);
  expect(steps).toEqual([]);
  expect(problem).toMatchObject({ code: 'HISTORY_CHANGED', migration: 'b' });
});

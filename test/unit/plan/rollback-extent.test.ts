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

/** What is left to do, oldest migration first in the history. */
function rest(now: Plan, done: readonly string[], history: readonly string[]) {
  const entries = history.map((name) => ({ name, batch: 1 }));
  return stillPlanned(now, planOf('c', 'b', 'a'), done, { entries, lockedByKnex: false });
}

const namesOf = ({ steps }: Plan) => steps.map(({ name }) => name);

test('what was planned is undone as long as the history asks for it', () => {
  expect(namesOf(rest(planOf('c', 'b', 'a'), [], ['a', 'b', 'c']))).toEqual(['c', 'b', 'a']);
  expect(namesOf(rest(planOf('b', 'a'), ['c'], ['a', 'b']))).toEqual(['b', 'a']);
});

test('what an earlier try or another run has left of it is undone, and what was applied again is not', () => {
  expect(namesOf(rest(planOf('b', 'a'), [], ['a', 'b']))).toEqual(['b', 'a']);
  expect(namesOf(rest(planOf('a'), ['c'], ['a']))).toEqual(['a']);
  expect(rest(planOf('c', 'b', 'a'), ['c'], ['a', 'b', 'c']).problem?.code).toBe('HISTORY_CHANGED');
});

test('a batch that another run has undone is not followed by the batch before it', () => {
  const nothing = { steps: [], batch: 0, warnings: [] };
  expect(rest(planOf('y', 'x'), [], ['x', 'y'])).toEqual(nothing);
  expect(rest(planOf('y', 'x'), ['c'], ['x', 'y'])).toEqual(nothing);
});

test('another run that came in between is told, with what was left alone', () => {
  expect(rest(planOf('y'), ['c'], ['a', 'b', 'y'])).toMatchObject({
    steps: [],
    problem: { code: 'HISTORY_CHANGED', migration: 'b' },
  });
  // More was applied since the question was asked: nobody has agreed to lose it.
  expect(rest(planOf('d', 'c', 'b', 'a'), [], ['a', 'b', 'c', 'd'])).toMatchObject({
    steps: [],
    problem: { code: 'HISTORY_CHANGED', migration: 'c' },
  });
});

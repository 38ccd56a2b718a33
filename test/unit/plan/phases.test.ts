import { expect, test } from 'vitest';
import { cutPlan } from '../../../src/core/plan/phases.ts';
import type { Plan } from '../../../src/core/plan/plan.ts';

/** A plan with steps of these names; those in capitals run outside a transaction. */
function planOf(names: string): Plan {
  const steps = names.split('').map((name) => ({ name, file: { name } as Plan['steps'][number]['file'] }));
  return { steps, batch: 3, warnings: ['a warning'] };
}

const HISTORY = { entries: [{ name: '0', batch: 2 }], lockedByKnex: false };
const cut = (names: string) => cutPlan(HISTORY, planOf(names), ({ name }) => name === name.toUpperCase());
const stepsOf = (names: string) => cut(names).map(({ plan }) => plan.steps.map(({ name }) => name).join(''));

test.each([
  ['ab', ['ab']],
  ['abC', ['ab', 'C']],
  ['aBCde', ['a', 'BC', 'de']],
  ['ABc', ['', 'AB', 'c']],
  ['aBcD', ['a', 'B', 'c', 'D']],
  ['', ['']],
])('%j is cut into %j: what runs in a transaction, and what does not, in turn', (names, phases) => {
  expect(stepsOf(names)).toEqual(phases);
});

test('each phase begins where the one before it ended, all of it is one batch, and is warned of once', () => {
  const [first, second, third] = cut('aBc');
  expect(second?.history.entries).toBe(first?.after);
  expect(third?.after.map(({ name, batch }) => `${name}@${batch}`)).toEqual(['0@2', 'a@3', 'B@3', 'c@3']);
  expect([first, second, third].map((phase) => phase?.plan.batch)).toEqual([3, 3, 3]);
  expect([first, second, third].map((phase) => phase?.plan.warnings.length)).toEqual([1, 0, 0]);
});

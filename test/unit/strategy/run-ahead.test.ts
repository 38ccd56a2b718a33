import { expect, test } from 'vitest';
import { createRunAhead } from '../../../src/core/strategy/run-ahead.ts';

test('at first, one string waits at the server beside the one at work', () => {
  expect(createRunAhead().limit).toBe(2);
});

test.each([
  [1, 8],
  [7, 7],
  [20, 2],
  [300, 1],
])('at %i ms for each tenant, %i strings are on their way', (ms, limit) => {
  const runAhead = createRunAhead();
  for (let tenant = 0; tenant < 50; tenant += 1) runAhead.answered(ms);
  expect(runAhead.limit).toBe(limit);
});

test('one slow tenant is enough for no other to be sent behind the next', () => {
  const runAhead = createRunAhead();
  for (let tenant = 0; tenant < 50; tenant += 1) runAhead.answered(1);
  runAhead.answered(2_000);
  expect(runAhead.limit).toBe(1);
  for (let tenant = 0; tenant < 20; tenant += 1) runAhead.answered(1);
  expect(runAhead.limit).toBe(8);
});

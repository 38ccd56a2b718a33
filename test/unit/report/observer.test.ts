import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { undisturbed, type Observer, type RunEvent } from '../../../src/core/report/event.ts';

const PHASE: RunEvent = { type: 'phase', message: 'begins' };

test.each<[string, (seen: RunEvent[]) => Observer]>([
  [
    'throws',
    (seen) => (event) => {
      seen.push(event);
      throw new Error('the log is full');
    },
  ],
  [
    'rejects',
    (seen) => async (event) => {
      seen.push(event);
      await Promise.reject(new Error('the log is full'));
    },
  ],
])(
  'an observer that %s gets its first error as a warning, once, and disturbs nobody',
  async (_name, make) => {
    const seen: RunEvent[] = [];
    const observe = undisturbed(make(seen));
    for (let event = 0; event < 3; event += 1) {
      observe(PHASE);
      await turn();
    }
    expect(seen.filter(({ type }) => type === 'phase')).toHaveLength(3);
    expect(seen.filter(({ type }) => type === 'warning')).toEqual([
      { type: 'warning', message: 'An observer of the run failed: the log is full' },
    ]);
  },
);

test('an observer that throws a value without a message disturbs nobody', () => {
  const observe = undisturbed(() => {
    // eslint-disable-next-line typescript/only-throw-error -- an observer may throw anything
    throw Object.create(null);
  });
  expect(() => observe(PHASE)).not.toThrow();
});

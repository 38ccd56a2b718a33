import { expect, onTestFinished, test, vi } from 'vitest';
import { startStopwatch } from '../../src/stopwatch.ts';

test('a duration is what has passed, although the clock has jumped by a day', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const elapsedMs = startStopwatch();
  vi.setSystemTime(Date.now() + 86_400_000);
  expect(elapsedMs()).toBeLessThan(60_000);
  vi.setSystemTime(Date.now() - 2 * 86_400_000);
  expect(elapsedMs()).toBeGreaterThanOrEqual(0);
});

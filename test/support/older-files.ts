import { afterAll, beforeAll } from 'vitest';

/**
 * All files that the tests of this file write count as older than the process, as in production: then one tenant is
 * enough to show what pure code sends. Call it at the top.
 */
export function useOlderFiles(): void {
  const { timeOrigin } = performance;
  const set = (value: number) =>
    Object.defineProperty(performance, 'timeOrigin', { value, configurable: true, writable: true });
  beforeAll(() => void set(Date.now() + 86_400_000));
  afterAll(() => void set(timeOrigin));
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { TenantctlError } from '../../errors.ts';
import { passingOf } from '../../transient.ts';

/** How often a tenant is retried after a transient error. */
export const DEFAULT_RETRIES = 6;

/** Milliseconds before the first retry, and the most before any: 250, 500, 1,000, ... 8,000. */
const BASE_MS = 250;
const MOST_MS = 8_000;

/** Whether a one-string transaction may be resent once: whoever was in the way may be gone. Pure. */
export function mayResend(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && /^(?:55P03|57014|40001|40P01)$/.test(sqlstate);
}

/** Whether a retry may succeed within seconds. It is safe after an unknown COMMIT: the history is read again. */
export function mayPass(error: TenantctlError): boolean {
  return passingOf(error) === 'soon';
}

/** Milliseconds before a retry: exponential, with jitter. @param attempt 1 for the first retry */
export function backoffMs(attempt: number, random: () => number): number {
  const most = Math.min(MOST_MS, BASE_MS * 2 ** (attempt - 1));
  return Math.round(most / 2 + (most / 2) * random());
}

/** Waits, but not longer than until the run is stopped. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch(() => {});
}

import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLoss } from '../../db/database-error.ts';
import { TenantctlError, type ErrorCode } from '../../errors.ts';

/** How often a tenant is retried after a transient error. */
export const DEFAULT_RETRIES = 6;

/** Milliseconds before the first retry, and the most before any: 250, 500, 1,000, … 8,000. */
const BASE_MS = 250;
const MOST_MS = 8_000;

/**
 * Transient errors (https://www.postgresql.org/docs/current/errcodes-appendix.html): serialization failure,
 * deadlock, lock timeout; the server ended the connection, crashed, is starting or has no connection left;
 * class 08, the connection itself. PgBouncer reports 08P01 whatever happened to its server.
 */
const PASSING = /^(?:40001|40P01|55P03|57P0[123]|53300|08(?:00[013467]|P01))$/;

/** The server cannot be reached, or all connections of tenantctl's own pool are in use. */
const PASSING_CODES: ReadonlySet<ErrorCode> = new Set(['CONNECTION_FAILED', 'POOL_EXHAUSTED']);

/** Whether a one-string transaction may be resent once: whoever was in the way may be gone. Pure. */
export function mayResend(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && /^(?:55P03|57014|40001|40P01)$/.test(sqlstate);
}

/** Whether a retry may succeed. It is safe after an unknown COMMIT: the history is read again. Pure. */
export function mayPass(error: TenantctlError): boolean {
  if (error.sqlstate !== undefined) return PASSING.test(error.sqlstate);
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    // Other codes (a refused login, an unknown host) do not go away within seconds.
    if (cause instanceof TenantctlError && PASSING_CODES.has(cause.code)) return true;
    if (isConnectionLoss(cause)) return true;
  }
  return false;
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

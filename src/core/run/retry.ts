import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLoss } from '../../db/database-error.ts';
import { TenantctlError, type ErrorCode } from '../../errors.ts';

/** How often a tenant is tried again after an error that may pass. */
export const DEFAULT_RETRIES = 6;

/** Milliseconds before the first new try, and the most before any: 250, 500, 1,000, … 8,000. */
const BASE_MS = 250;
const MOST_MS = 8_000;

/**
 * Errors after which the same work may succeed (https://www.postgresql.org/docs/current/errcodes-appendix.html):
 * serialization failure, deadlock, lock timeout, the server ended the connection, crashed, is starting or has no
 * connection left, and class 08, the connection itself. PgBouncer says 08P01 whatever has happened to its server.
 */
const PASSING = /^(?:40001|40P01|55P03|57P0[123]|53300|08(?:00[013467]|P01))$/;

/** The server cannot be reached, or all connections of the own pool are in use. */
const PASSING_CODES: ReadonlySet<ErrorCode> = new Set(['CONNECTION_FAILED', 'POOL_EXHAUSTED']);

/**
 * Whether a transaction that was sent as one string may be sent once more: somebody was in the way (lock timeout,
 * cancel, serialization failure, deadlock), who may be gone by now. Pure.
 */
export function mayResend(sqlstate: string | undefined): boolean {
  return sqlstate !== undefined && /^(?:55P03|57014|40001|40P01)$/.test(sqlstate);
}

/**
 * Whether the same work may succeed at another attempt. One is safe where the history decides anew what is due, even if
 * nobody knows whether the transaction was committed. Pure.
 */
export function mayPass(error: TenantctlError): boolean {
  if (error.sqlstate !== undefined) return PASSING.test(error.sqlstate);
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    // Other codes (a login that is refused, an unknown host) do not pass within seconds.
    if (cause instanceof TenantctlError && PASSING_CODES.has(cause.code)) return true;
    if (isConnectionLoss(cause)) return true;
  }
  return false;
}

/** Milliseconds before another attempt: exponential, with jitter. @param attempt 1 for the first new one */
export function backoffMs(attempt: number, random: () => number): number {
  const most = Math.min(MOST_MS, BASE_MS * 2 ** (attempt - 1));
  return Math.round(most / 2 + (most / 2) * random());
}

/** Waits so many milliseconds, or until the run is stopped. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal && { signal }).catch(() => {});
}

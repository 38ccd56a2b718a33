import type { ErrorCode } from './error-code.ts';
import { isError } from './is-error.ts';

/** When the same call may succeed although nobody corrects anything: within seconds, or later. */
export type Passing = 'soon' | 'later';

/**
 * Transient errors (https://www.postgresql.org/docs/current/errcodes-appendix.html): serialization failure,
 * deadlock, lock timeout; the server ended the connection (also for being idle), crashed, is starting or has no connection left;
 * class 08, the connection itself. PgBouncer reports 08P01 whatever happened to its server; PostgreSQL itself only
 * for a message that violates the protocol, such as one with too many values.
 */
const SQLSTATES = /^(?:40001|40P01|55P03|57P0[1235]|53300|08(?:00[013467]|P01))$/;

/** PostgreSQL refused a message: "bind message has 14464 parameter formats but 0 parameters". */
export function isProtocolViolation(sqlstate: string | undefined, message: string): boolean {
  return sqlstate === '08P01' && /\bmessage\b/.test(message);
}

/** Other codes, for example of a refused login, need a correction. */
const CODES: Readonly<Partial<Record<ErrorCode, Passing>>> = {
  // The server cannot be reached, or all connections of tenantctl's own pool are in use.
  CONNECTION_FAILED: 'soon',
  POOL_EXHAUSTED: 'soon',
  // Without an SQLSTATE: the connection was lost.
  DATABASE_ERROR: 'soon',
  // The wait for somebody else is over already.
  LOCK_TIMEOUT: 'later',
  KNEX_LOCKED: 'later',
  RUN_AT_WORK: 'later',
  POOLER_EXHAUSTED: 'later',
  // A run over the fleet brings it up to date.
  TENANT_BEHIND: 'later',
  // The queue of a process.
  PROVISIONING_PENDING: 'later',
  PROVISIONER_FULL: 'later',
  // The caller stopped it.
  INTERRUPTED: 'later',
  DATABASE_CLOSED: 'later',
};

/** Whether and when an error passes by itself: the one definition for callers and for our own retries. Pure. */
export function passingOf(error: unknown): Passing | undefined {
  if (!isError(error)) return undefined;
  const { code, sqlstate } = error as Error & { readonly code?: ErrorCode; readonly sqlstate?: string };
  // Its outcome is unknown: somebody must look first.
  if (code === 'MIGRATION_INTERRUPTED') return undefined;
  if (isProtocolViolation(sqlstate, error.message)) return undefined;
  if (sqlstate !== undefined && SQLSTATES.test(sqlstate)) return 'soon';
  const passing = code && CODES[code];
  if (passing === 'later') return passing;
  if (sqlstate !== undefined) return undefined;
  return passing ?? passingOf(error.cause);
}

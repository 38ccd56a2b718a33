import type { TenantctlError } from '../../errors.ts';
import { duration } from '../../wording.ts';
import type { RunContext } from './run-context.ts';

type Limits = Pick<RunContext, 'lockTimeoutMs' | 'statementTimeoutMs'>;

/**
 * The limit that a statement exceeded, for the error's details; undefined if it was none of the run's. Pure.
 * The messages: https://github.com/postgres/postgres/blob/master/src/backend/tcop/postgres.c
 */
export function exceededLimit(error: TenantctlError, limits: Limits): string | undefined {
  const { lockTimeoutMs, statementTimeoutMs = 0 } = limits;
  if (lockTimeoutMs > 0 && error.message.includes('due to lock timeout'))
    return `limit for a lock: ${duration(lockTimeoutMs)} (LOCK_TIMEOUT_MS, --lock-timeout)`;
  if (statementTimeoutMs > 0 && error.message.includes('due to statement timeout'))
    return `limit for a statement: ${duration(statementTimeoutMs)} (STATEMENT_TIMEOUT_MS, --statement-timeout)`;
  return undefined;
}

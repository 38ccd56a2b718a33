import type { ErrorCode } from '../../error-code.ts';
import type { TenantctlError } from '../../errors.ts';

/** Exit codes other than 0 (done) and 1 (the work failed or could not start). */
const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  USAGE: 2,
  CONFIRMATION_REQUIRED: 2,
  CONCURRENCY_TOO_HIGH: 2,
  CHECK_INVALID: 2,
  MASK_INVALID: 2,
  MIGRATION_NAME_INVALID: 2,
  CONFIG_INVALID: 3,
  NAMES_DIFFER: 3,
  EMBEDDED_UNAVAILABLE: 3,
  DIRECT_URL_MISMATCH: 3,
  PROGRAM_MISSING: 3,
  CONNECTION_FAILED: 4,
  LOGIN_FAILED: 4,
  DATABASE_MISSING: 4,
  TLS_FAILED: 4,
  POOLER_EXHAUSTED: 4,
  POOL_EXHAUSTED: 4,
  LOCK_TIMEOUT: 5,
  RUN_AT_WORK: 5,
  CHECK_FAILED: 6,
  INTERRUPTED: 130,
};

export function exitCodeOf(error: TenantctlError | undefined): number {
  return error === undefined ? 0 : (EXIT_CODES[error.code] ?? 1);
}

import { expect, test } from 'vitest';
import { exitCodeOf } from '../../../src/cli/run/exit-code.ts';
import { refuseOldServer } from '../../../src/db/open-server.ts';
import type { ErrorCode } from '../../../src/error-code.ts';
import { TenantctlError } from '../../../src/errors.ts';

test('no error is 0', () => {
  expect(exitCodeOf(undefined)).toBe(0);
});

test.for([
  ['USAGE', 2],
  ['CONFIRMATION_REQUIRED', 2],
  ['CONCURRENCY_TOO_HIGH', 2],
  ['CONFIG_INVALID', 3],
  ['EMBEDDED_UNAVAILABLE', 3],
  ['DIRECT_URL_MISMATCH', 3],
  ['CONNECTION_FAILED', 4],
  ['LOGIN_FAILED', 4],
  ['DATABASE_MISSING', 4],
  ['TLS_FAILED', 4],
  ['POOLER_EXHAUSTED', 4],
  ['POOL_EXHAUSTED', 4],
  ['LOCK_TIMEOUT', 5],
  ['CHECK_FAILED', 6],
  ['INTERRUPTED', 130],
  // The work failed, or could not begin, for at least one target.
  ['TENANT_UNKNOWN', 1],
  ['ORGANIZATION_ID_INVALID', 1],
  ['REGISTRY_ABSENT', 1],
  ['MIGRATION_INVALID', 1],
  ['MIGRATION_OUT_OF_ORDER', 1],
  ['MIGRATION_FAILED', 1],
  ['TENANTS_FAILED', 1],
  ['INTERNAL', 1],
] satisfies [ErrorCode, number][])('%s is %i', ([code, exitCode]) => {
  expect(exitCodeOf(new TenantctlError(code, 'x'))).toBe(exitCode);
});

test('a server before PostgreSQL 12 is refused with its version and what to do', () => {
  expect(() => refuseOldServer({ serverVersion: 110_022, serverVersionText: '11.22' })).toThrow(
    expect.objectContaining({
      code: 'SERVER_UNSUPPORTED',
      message: 'The server is PostgreSQL 11.22; tenantctl needs version 12 or newer.',
      hint: expect.stringContaining('Upgrade the server'),
    }),
  );
  expect(() => refuseOldServer({ serverVersion: 120_000, serverVersionText: '12.0' })).not.toThrow();
});

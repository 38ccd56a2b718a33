import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { connectionLost, databaseClosed, toDatabaseError } from '../../src/db/database-error.ts';
import { TenantctlError, toTenantctlError } from '../../src/errors.ts';

test('an error has the name of its class, and the class the name that Node prints', () => {
  const error = new TenantctlError('USAGE', 'wrong');
  expect(error.name).toBe('TenantctlError');
  expect(error.stack).toMatch(/^TenantctlError: wrong\n/);
  // A bundler renames the class; the static property stays.
  expect(Object.hasOwn(TenantctlError, 'name') && TenantctlError.name).toBe('TenantctlError');
  expect(Object.keys(error).toSorted()).toEqual(['code', 'name', 'retryable']);
});

test('an error of a second copy of the class is one of the first', () => {
  class Copy extends Error {
    override readonly name = 'TenantctlError';
  }
  expect(new Copy('x')).toBeInstanceOf(TenantctlError);
  expect(new Error('x')).not.toBeInstanceOf(TenantctlError);
  expect((undefined as unknown) instanceof TenantctlError).toBe(false);
});

function fromServer(sqlstate: string): TenantctlError {
  const error = new DatabaseError('it said so', 0, 'error');
  error.code = sqlstate;
  return toDatabaseError(error);
}

test('what passes by itself is retryable: lost connections, locks, others at work, a stop', () => {
  const passing = [
    connectionLost(new Error('read ECONNRESET')),
    databaseClosed(),
    ...['40001', '40P01', '55P03', '53300'].map(fromServer),
    ...(['LOCK_TIMEOUT', 'RUN_AT_WORK', 'POOL_EXHAUSTED', 'CONNECTION_FAILED', 'INTERRUPTED'] as const).map(
      (code) => new TenantctlError(code, 'x'),
    ),
    new TenantctlError('MIGRATION_FAILED', 'x', { cause: connectionLost(new Error('gone')) }),
    new TenantctlError('TENANTS_FAILED', 'x', { cause: new TenantctlError('LOCK_TIMEOUT', 'x') }),
  ];
  for (const error of passing) {
    expect({ code: error.code, retryable: error.retryable }).toEqual({ code: error.code, retryable: true });
    expect(error.toJSON()).toMatchObject({ retryable: true });
  }
});

test('what somebody must correct is not', () => {
  const lasting = [
    ...['42P07', '23505', '28P01', '57014'].map(fromServer),
    ...(['USAGE', 'ORGANIZATION_ID_INVALID', 'MASTER_PENDING', 'LOGIN_FAILED'] as const).map(
      (code) => new TenantctlError(code, 'x'),
    ),
    // Nobody knows what it did: somebody must look.
    new TenantctlError('MIGRATION_INTERRUPTED', 'x', { sqlstate: '57P01' }),
    toTenantctlError(new TypeError('x')),
  ];
  for (const error of lasting) {
    expect({ code: error.code, retryable: error.retryable }).toEqual({ code: error.code, retryable: false });
    expect(error.toJSON()).not.toHaveProperty('retryable');
  }
});

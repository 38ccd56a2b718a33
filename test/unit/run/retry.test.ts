import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { backoffMs, mayPass } from '../../../src/core/run/retry.ts';
import {
  connectionLost,
  isLoss,
  toConnectionError,
  toDatabaseError,
} from '../../../src/db/database-error.ts';
import { TenantctlError } from '../../../src/errors.ts';

const HERE = { host: 'localhost', port: 5432, user: 'u', database: 'd' };

function fromServer(sqlstate: string): DatabaseError {
  const error = new DatabaseError('it said so', 0, 'error');
  error.code = sqlstate;
  return error;
}

test.each(['40001', '40P01', '55P03', '57P01', '57P02', '57P03', '53300', '08006', '08003'])(
  '%s may pass, however it was met',
  (sqlstate) => {
    expect(mayPass(toDatabaseError(fromServer(sqlstate)))).toBe(true);
    expect(mayPass(new TenantctlError('MIGRATION_FAILED', 'x', { sqlstate }))).toBe(true);
    expect(mayPass(toConnectionError(fromServer(sqlstate), HERE))).toBe(true);
  },
);

test.each(['42P07', '23505', '57014', '42501', '25P03', '53100', '22012', 'P0001'])(
  '%s would be met again',
  (sqlstate) => {
    expect(mayPass(toDatabaseError(fromServer(sqlstate)))).toBe(false);
    expect(mayPass(new TenantctlError('MIGRATION_FAILED', 'x', { sqlstate }))).toBe(false);
  },
);

test('a connection that is lost or cannot be had may come back, also behind a failed migration', () => {
  // Knex puts the statement in front of the message.
  const lost = connectionLost(new Error('select 1 - Connection terminated unexpectedly'));
  expect(lost.code).toBe('DATABASE_ERROR');
  expect(mayPass(lost)).toBe(true);
  expect(mayPass(new TenantctlError('MIGRATION_FAILED', 'x', { cause: lost }))).toBe(true);
  expect(mayPass(new TenantctlError('POOL_EXHAUSTED', 'x'))).toBe(true);
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  expect(mayPass(toConnectionError(refused, HERE))).toBe(true);
});

test('a node that the coordinator of a cluster cannot reach may come back, and the connection is not lost', () => {
  for (const message of [
    'connection to the remote node u@h:1 failed',
    'select 1 - connection to the remote node u@h:1 failed',
    'could not establish any connections to the node h:1 after 30000 ms',
  ]) {
    const error = new DatabaseError(message, 0, 'error');
    error.code = '08006';
    expect(isLoss(error)).toBe(false);
    expect(toDatabaseError(error)).toMatchObject({
      sqlstate: '08006',
      hint: expect.stringContaining('node of the Citus cluster is away') as string,
    });
    expect(mayPass(toDatabaseError(error))).toBe(true);
  }
});

test('a login that is refused, or what a migration throws itself, does not pass', () => {
  expect(mayPass(toConnectionError(fromServer('28P01'), HERE))).toBe(false);
  expect(mayPass(new TenantctlError('MIGRATION_FAILED', 'x', { cause: new Error('no data') }))).toBe(false);
});

test('waits double up to eight seconds, and are spread over the upper half', () => {
  const attempts = [1, 2, 3, 4, 5, 6, 7, 20];
  expect(attempts.map((attempt) => backoffMs(attempt, () => 1))).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000,
  ]);
  expect(attempts.map((attempt) => backoffMs(attempt, () => 0))).toEqual([
    125, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000,
  ]);
});

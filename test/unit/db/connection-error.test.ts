import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { connectionRemedy } from '../../../src/core/doctor/connection.ts';
import type { ServerSettings } from '../../../src/db/database.ts';
import { toConnectionError } from '../../../src/db/database-error.ts';
import { serverHint } from '../../../src/db/server-hint.ts';

const PARTS: ServerSettings = {
  kind: 'server',
  host: 'h',
  port: 5432,
  user: 'u',
  password: 'hunter2',
  database: 'd',
  ssl: false,
  connectTimeoutMs: 1_000,
};

/** What Node reports, and what the server answers. */
const FAILURES = [
  ...['ECONNREFUSED', 'ENOTFOUND', 'ERR_TLS_CERT_ALTNAME_INVALID', 'OTHER'].map((code) =>
    Object.assign(new Error('it failed'), { code }),
  ),
  new Error('The server does not support SSL connections'),
  new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
  ...['28P01', '28000', '3D000', '08P01'].map((code) =>
    Object.assign(new DatabaseError('it refused', 0, 'error'), { code }),
  ),
];

test('with DATABASE_URL, a failure to connect hints at it and at no other variable of the address', () => {
  for (const failure of FAILURES) {
    const told = (settings: ServerSettings) => {
      const error = toConnectionError(failure, settings);
      expect(error.message).not.toContain('SASL');
      return `${error.message} ${error.hint} ${connectionRemedy(error, settings)}`;
    };
    const byUrl = told({ ...PARTS, source: 'DATABASE_URL' });
    expect(byUrl).toContain('DATABASE_URL');
    expect(byUrl).not.toMatch(/DB_(HOST|PORT|USER|PASSWORD|NAME)|hunter2/);
  }
});

test.each(['EMFILE', 'ENFILE'])('%s names the limit, and not the address', (code) => {
  const error = toConnectionError(Object.assign(new Error('connect'), { code }), PARTS);
  expect(error.message).toContain('too many files are open');
  expect(error.hint).toContain('ulimit -n');
  expect(error.hint).not.toContain('DB_');
});

test.each([
  ['25P03', 'tenantctl stood still'],
  ['57P05', 'idle_session_timeout'],
])('the hint of %s names what ended the connection', (sqlstate, cause) => {
  expect(serverHint(sqlstate, '')).toContain(cause);
});

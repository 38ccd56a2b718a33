import { expect, test } from 'vitest';
import { connectionUrl, libpqVariables, searchPathOf, sessionOptions } from '../../../src/config/libpq.ts';

const ADDRESS = {
  host: 'db.example',
  port: 5433,
  user: 'owner',
  password: undefined,
  database: 'app',
  ssl: false as const,
  connectTimeoutMs: 1_500,
};

test('the connection is the same in variables and URL, and variables that lead elsewhere are removed', () => {
  const address = { ...ADDRESS, ssl: {}, user: 'o w', password: 'p/@:%', host: '::1', database: 'a?b' };
  const files = { ca: '/a b/ca.pem', cert: '/c', key: '/k' };

  expect(libpqVariables(address, files)).toMatchObject({
    PGHOST: '::1',
    PGPORT: '5433',
    PGUSER: 'o w',
    PGPASSWORD: 'p/@:%',
    PGDATABASE: 'a?b',
    PGCONNECT_TIMEOUT: '2',
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/a b/ca.pem',
    PGSSLCERT: '/c',
    PGSSLKEY: '/k',
    PGHOSTADDR: undefined,
    PGSERVICE: undefined,
  });
  expect(connectionUrl(address, files)).toBe(
    'postgres://o%20w:p%2F%40%3A%25@[::1]:5433/a%3Fb?sslmode=verify-full&sslrootcert=%2Fa%20b%2Fca.pem&sslcert=%2Fc&sslkey=%2Fk',
  );
  expect(connectionUrl({ ...ADDRESS, host: '/var/run' }, {})).toBe(
    'postgres://owner@%2Fvar%2Frun:5433/app?sslmode=disable',
  );
});

test.each([
  [false as const, { PGSSLMODE: 'disable', PGSSLROOTCERT: undefined }],
  [{ rejectUnauthorized: false }, { PGSSLMODE: 'require', PGSSLROOTCERT: undefined }],
  [{ rejectUnauthorized: true }, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca' }],
])('TLS settings of %o', (ssl, expected) => {
  expect(libpqVariables({ ...ADDRESS, ssl }, { ca: '/ca' })).toMatchObject(expected);
});

test('session options are escaped for the server, which splits them at white space', () => {
  expect(sessionOptions(undefined, { search_path: searchPathOf('a "b\\') })).toBe(
    String.raw`-c search_path="a\ ""b\\","public"`,
  );
  expect(sessionOptions('-c work_mem=1MB', { a: 'x\ty\nz' })).toBe('-c work_mem=1MB -c a=x\\\ty\\\nz');
});

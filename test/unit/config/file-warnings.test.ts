import { expect, test } from 'vitest';
import { fileWarnings } from '../../../src/config/file-warnings.ts';

const warnings = (...lines: readonly string[]) => {
  const variables = Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
  return fileWarnings(lines.join('\n'), variables).map(({ variable, message }) => `${variable} ${message}`);
};

test.for([
  ['DB_PASWORD', 'DB_PASSWORD'],
  ['DB_PASSWROD', 'DB_PASSWORD'],
  ['DB_HSOT', 'DB_HOST'],
  ['DB_SLL', 'DB_SSL'],
  ['TENANT_MIGRATION_DIR', 'TENANT_MIGRATIONS_DIR'],
  ['MASTER_MIGRATION_DIR', 'MASTER_MIGRATIONS_DIR'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['TENANTCTL_DB_HOST', 'DB_HOST'],
  ['DB_USERNAME', 'DB_USER'],
  ['PGHOST', 'DB_HOST'],
  ['POSTGRES_DB', 'DB_NAME'],
  ['db_host', 'DB_HOST'],
] as const)('%s in an env file: the variable is called %s', ([misspelt, known]) => {
  expect(warnings(`${misspelt}=x`)).toEqual([
    `${misspelt} is unknown and ignored; the variable is called ${known}`,
  ]);
});

test("an unknown variable with a prefix that is only tenantctl's is named with those that exist", () => {
  expect(warnings('DB_SSL_CA=x')).toEqual([
    expect.stringContaining('the variables are DB_SSL, DB_SSL_CERT_PATH'),
  ]);
  expect(warnings('TENANTCTL_COLOUR=x')).toEqual([expect.stringContaining('TENANTCTL_RUN_LABEL')]);
});

test('variables of other programs are not warned of', () => {
  const others =
    'DB_POOL DB_TYPE DB_HOST_2 TEST_DATABASE_URL PG_DATABASE_URL DIRECT_URL NODE_ENV TENANT_ID PORT';
  expect(warnings(...others.split(' ').map((name) => `${name}=x`))).toEqual([]);
  expect(warnings('DB_DATABASE=x', 'DB_NAME=x')).toEqual([]);
  // PostgreSQL's own container takes these from the same file.
  expect(warnings('POSTGRES_USER=x', 'POSTGRES_PASSWORD=x', 'DATABASE_URL=x')).toEqual([]);
});

test('a value that a "#" cuts short is warned of, without the value', () => {
  expect(warnings('DB_PASSWORD=se#cret', 'DATABASE_URL=postgres://u:p#w@h/d')).toEqual([
    expect.stringMatching(/^DB_PASSWORD ends at a "#"/),
    expect.stringMatching(/^DATABASE_URL ends at a "#"/),
  ]);
  expect(warnings("DB_PASSWORD='se#cret'", 'DB_NAME=a # the database', 'OTHER=a#b')).toEqual([]);
});

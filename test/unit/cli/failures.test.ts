import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { groupByCause } from '../../../src/core/report/causes.ts';
import { renderFailures, type FailedTenant } from '../../../src/cli/render/failures.ts';
import { UNICODE } from '../../../src/cli/render/look.ts';
import type { ErrorReport } from '../../../src/errors.ts';

const plain = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };

/** A tenant that failed; `{schema}` and `{org}` in the texts stand for its names. */
function failed(nth: number, message: string, facts: Partial<ErrorReport> = {}): FailedTenant {
  const [schema, clerkOrgId] = [`tid_${nth}a`, `acme ${nth}.(x)`];
  const fill = (text: string) => text.replaceAll('{schema}', schema).replaceAll('{org}', clerkOrgId);
  const filled = JSON.parse(fill(JSON.stringify(facts))) as Partial<ErrorReport>;
  const where = { code: 'MIGRATION_FAILED', migration: '3_a.sql', sqlstate: '42P01' } as const;
  return { clerkOrgId, schema, error: { ...where, ...filled, message: fill(message) } };
}

function several(count: number, message: string, facts?: Partial<ErrorReport>): FailedTenant[] {
  return Array.from({ length: count }, (_, nth) => failed(nth, message.replaceAll('{nth}', `${nth}`), facts));
}

/** The messages of the causes, each with its number of tenants. */
function causesOf(tenants: readonly FailedTenant[]): string[] {
  const causes = groupByCause(tenants, ({ error, ...names }) => ({
    ...names,
    error: error ?? { message: '' },
  }));
  return causes.map((cause) => `${cause.tenants.length}: ${cause.message}`);
}

test('tenants whose messages differ by their names, or by values, have one cause', () => {
  expect(causesOf(several(3, 'there is no table'))).toEqual(['3: there is no table']);
  expect(causesOf(several(3, 'no "{schema}.users", index {schema}_users_idx, for {org}'))).toEqual([
    '3: no "<schema>.users", index <schema>_users_idx, for <organization>',
  ]);
  expect(causesOf(several(3, '{nth} rows of table users_2 have no email'))).toEqual([
    '3: <n> rows of table users_2 have no email',
  ]);
  expect(causesOf(several(2, 'began at 2026-11-29T10:0{nth}:00.000Z'))).toEqual(['2: began at <time>']);
  expect(
    causesOf(several(2, 'invalid input syntax for type integer: "a{nth}b"', { sqlstate: '22P02' })),
  ).toEqual(['2: invalid input syntax for type integer: "<value>"']);
});

test.for([
  ["value 'v{nth}' of {org}, flags 0x{nth}f", "value '<value>' of <organization>, flags <n>"],
  ['user user{nth}@example.com has no name', 'user <email> has no name'],
  ['no plan for user_2NfK3xQw9Zr{nth}LmP4tVbY', 'no plan for <id>'],
] as const)('data in what a migration throws is not another cause: %s', ([message, cause]) => {
  expect(causesOf(several(3, message, { sqlstate: '' }))).toEqual([`3: ${cause}`]);
});

test('names in what a migration throws are other causes', () => {
  const reading = [
    "reading 'map'",
    "reading 'length'",
    '20250102000000_add.ts is late',
    '20250103000000_b.ts is late',
  ];
  const tenants = reading.map((message, nth) => failed(nth, message, { sqlstate: '' }));
  expect(causesOf(tenants)).toHaveLength(4);
});

test('other messages, migrations and SQLSTATEs are other causes; the largest comes first', () => {
  const tenants = [
    failed(1, 'relation "orders" does not exist'),
    failed(2, 'relation "users" does not exist'),
    failed(3, 'relation "users" does not exist'),
    failed(4, 'relation "users" does not exist', { migration: '4_b.sql' }),
    failed(5, 'relation "users" does not exist', { sqlstate: '42501' }),
    failed(6, 'file 001-init.sql is missing'),
    failed(7, 'file 002-more.sql is missing'),
  ];
  expect(causesOf(tenants).map((cause) => cause.slice(0, 1))).toEqual(['2', '1', '1', '1', '1', '1']);
  expect(causesOf(tenants)[0]).toBe('2: relation "users" does not exist');
});

test('a cause is one block: how many tenants, the first names, the statement, one hint', () => {
  const facts = {
    statement: 'ALTER TABLE {schema}.nowhere ADD x int',
    details: ['line 1: ALTER TABLE {schema}.nowhere'],
    hint: 'tenantctl resolve {org} --retry',
  };
  expect(renderFailures(several(31, 'no table {schema}.nowhere', facts), false, plain)).toEqual([
    '✖ 31 tenants failed: 3_a.sql: no table <schema>.nowhere (SQLSTATE 42P01)',
    '    acme 0.(x), acme 1.(x), acme 10.(x), acme 11.(x), acme 12.(x) and 26 more',
    '    statement ALTER TABLE <schema>.nowhere ADD x int',
    '    line 1: ALTER TABLE <schema>.nowhere',
    '    → tenantctl resolve <organization> --retry',
  ]);
  expect(renderFailures(several(1, 'no table {schema}.nowhere', facts), false, plain)).toEqual([
    '✖ acme 0.(x) tid_0a failed: 3_a.sql: no table tid_0a.nowhere (SQLSTATE 42P01)',
    '    statement ALTER TABLE tid_0a.nowhere ADD x int',
    '    line 1: ALTER TABLE tid_0a.nowhere',
    '    → tenantctl resolve acme 0.(x) --retry',
  ]);
});

test('data that one tenant has is an example; with --verbose every tenant has its own', () => {
  const duplicates = [1, 2].map((nth) =>
    failed(nth, 'duplicate key', {
      statement: 'INSERT',
      details: [`Key (email)=(${nth}@x.org) already exists.`],
      hint: 'Look.',
    }),
  );
  expect(renderFailures(duplicates, false, plain).slice(2)).toEqual([
    '    statement INSERT',
    '    for example acme 1.(x):',
    '    Key (email)=(1@x.org) already exists.',
    '    → Look.',
  ]);
  expect(renderFailures(duplicates, true, plain).slice(1)).toEqual([
    '    acme 1.(x) tid_1a',
    '      Key (email)=(1@x.org) already exists.',
    '    acme 2.(x) tid_2a',
    '      Key (email)=(2@x.org) already exists.',
    '    statement INSERT',
    '    → Look.',
  ]);
  const numbers = several(2, '{nth} rows are bad');
  expect(renderFailures(numbers, false, plain)[2]).toBe('    for example acme 0.(x): 0 rows are bad');
  expect(renderFailures(numbers, true, plain).slice(1, 3)).toEqual([
    '    acme 0.(x) tid_0a: 0 rows are bad',
    '    acme 1.(x) tid_1a: 1 rows are bad',
  ]);
});

test('causes with the same hint show it once', () => {
  const facts = { hint: 'Correct the migration.' };
  const lines = renderFailures([failed(1, 'one', facts), failed(2, 'two', facts)], false, plain);
  expect(lines.map((line) => line.trim().slice(0, 1))).toEqual(['✖', '✖', '→']);
});

test('a thousand failures with many causes and long texts fit on a screen', () => {
  const long = Array.from({ length: 60 }, (_, line) => `line ${line}`).join('\n');
  const facts = { statement: long, details: long.split('\n'), hint: 'Correct it.' };
  const three = ['one', 'two', 'three'].flatMap((cause) => several(333, cause, facts));
  expect(renderFailures(three, false, plain).join('\n').split('\n').length).toBeLessThanOrEqual(40);
  const fifty = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX'.split('');
  const many = renderFailures(
    fifty.flatMap((letter) => several(20, letter)),
    false,
    plain,
  );
  expect(many.length).toBeLessThanOrEqual(20);
  expect(many.at(-1)).toBe('✖ 840 tenants failed for 42 other reasons; --verbose shows all');
});

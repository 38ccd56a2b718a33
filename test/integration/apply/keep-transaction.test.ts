import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration } from '../../support/project.ts';

const SCHEMA = schemaNameFor('org_a');

/** A JavaScript string literal. */
const raw = (...texts: string[]) =>
  texts
    .map(
      (text) =>
        `await knex.raw(${JSON.stringify(text)}).catch((error) => { if (error.code !== '22012') throw error; });`,
    )
    .join('\n');

/** Runs a plain migration and then this one, in one transaction. */
async function after(up: string): Promise<{ fleet: TestFleet; result: ReturnType<typeof resultOf> }> {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_two.sql', createTable('two'));
  await fleet.add('4_test.js', knexMigration(up));
  return { fleet, result: resultOf(await fleet.migrate(), 'org_a') };
}

const expectNothing = async (fleet: TestFleet) => {
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
};

/** Migrations that use a savepoint of tenantctl, in words. */
const OF_TENANTCTL = {
  'goes back to it': raw('ROLLBACK TO SAVEPOINT tenantctl_lock_only', 'CREATE TABLE three ()'),
  'goes back after others in one text': raw('SAVEPOINT a; RELEASE a; ROLLBACK /* x */ TO tenantctl_guard'),
  'releases it': raw('RELEASE SAVEPOINT tenantctl_guard'),
  'has used up its own of that name': raw(
    'SAVEPOINT tenantctl_guard',
    'RELEASE tenantctl_guard',
    'ROLLBACK TO tenantctl_guard',
  ),
  'releases one below its own': raw(
    'SAVEPOINT a',
    'SAVEPOINT tenantctl_guard',
    'ROLLBACK TO a',
    'RELEASE tenantctl_guard',
  ),
  'made none since a statement failed before': raw(
    'SELECT 1 / 0; SAVEPOINT tenantctl_guard',
    'ROLLBACK TO tenantctl_guard',
  ),
};

test('a savepoint of tenantctl is out of reach of a migration, however it goes about it', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_two.sql', createTable('two'));
  const messages: Record<string, unknown> = {};
  for (const [at, [sentence, up]] of Object.entries(OF_TENANTCTL).entries()) {
    // Node loads a file once.
    const name = `4_${at}.js`;
    await fleet.add(name, knexMigration(up));
    messages[sentence] = resultOf(await fleet.migrate(), 'org_a').error?.message;
    await fleet.project.remove(`migrations/tenants/${name}`);
  }
  const refusal =
    /^4_\d.js goes back to the savepoint "tenantctl_\w+" or releases it, and has not made it itself/;
  const refused = Object.keys(OF_TENANTCTL).map((sentence) => [sentence, expect.stringMatching(refusal)]);
  expect(messages).toEqual(Object.fromEntries(refused));
  await expectNothing(fleet);
});

test('savepoints of its own are a matter of the migration', async () => {
  const { fleet, result } = await after(
    raw(
      'SAVEPOINT a; SAVEPOINT "A"',
      'CREATE TABLE gone ()',
      'ROLLBACK TO a',
      'CREATE TABLE three ()',
      'SELECT 1 / 0',
      'ROLLBACK TO a',
      'RELEASE a',
    ) +
      `await knex.transaction(async (inner) => { await inner.raw('CREATE TABLE four ()'); });
       await knex.transaction(async (inner) => { await inner.raw('SELECT 1 / 0'); }).catch(() => {});`,
  );
  expect(result.error?.message).toBeUndefined();
  expect(await fleet.tables('org_a')).toEqual(['four', 'notes', 'tags', 'two']);
});

// The parser reads one string here, the server several statements.
test.each([
  ['ends the transaction', 'COMMIT; BEGIN'],
  ['ends it with another', 'COMMIT AND CHAIN'],
  ['goes back to before another migration', 'ROLLBACK TO SAVEPOINT tenantctl_lock_only'],
])('a text that %s, and that the parser reads otherwise, is found out at the end', async (_, control) => {
  const { fleet, result } = await after(
    raw('SET standard_conforming_strings = off', `SELECT '\\''; ${control}; --'`, 'CREATE TABLE three ()'),
  );
  expect(result.error).toMatchObject({ code: 'MIGRATION_FAILED', migration: '4_test.js' });
  expect(result.error?.message).toContain(
    'ended the transaction, or went back to before an earlier migration',
  );
  expect((await fleet.history('org_a')).join()).not.toContain('4_test');
});

test('nor may a migration go back to a savepoint that an earlier one has left open', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_two.js', knexMigration(raw('SAVEPOINT kept', 'CREATE TABLE two ()')));
  const back = raw(
    'SET standard_conforming_strings = off',
    `SELECT '\\''; ROLLBACK TO kept; SAVEPOINT kept; --'`,
  );
  await fleet.add('4_back.js', knexMigration(back));
  await fleet.add('5_five.sql', createTable('five'));
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error?.message).toContain('went back to before an earlier migration');
  // The border after it shows it, before the next one runs.
  expect(error?.message).toMatch(/^3_two\.js, 4_back\.js: /);
  await expectNothing(fleet);
});

test('a text that the parser reads otherwise is found out between strings, too', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  const odd = schemaNameFor('org_c');
  await fleet.add('3_two.sql', createTable('two'));
  const ends = raw('SET standard_conforming_strings = off', `SELECT '\\''; COMMIT; BEGIN; --'`);
  await fleet.add(
    '4_odd.js',
    knexMigration(
      `await knex.raw('SELECT ' + Date.now()); if (knex.userParams.schema === '${odd}') { ${ends} }`,
    ),
  );
  await fleet.add('5_five.sql', createTable('five'));
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 3, failed: 1 });
  const { error } = resultOf(result, 'org_c');
  expect(error?.message).toContain('ended the transaction, or went back to before an earlier migration');
});

const COMMITS =
  'CREATE TABLE sessions (system_user text);\nALTER TABLE notes ADD price int;\nCOMMIT;\nBEGIN;';

test.each([
  ['.sql', '3_test.sql', `-- migrate:up\n${COMMITS}`],
  ['Knex', '3_test.js', knexMigration(raw(COMMITS))],
])(
  'a COMMIT in a text that the parser cannot read is refused, and nothing is sent: %s',
  async (_, file, text) => {
    const fleet = await createFleet(['org_a']);
    await fleet.add(file, text);
    const folders = { folder: fleet.project.tenants, masterFolder: fleet.project.master };
    const { plans } = await rehearseTenants(fleet.database, folders);
    const shown = plans[0]?.migrations[0];
    const { error } = resultOf(await fleet.migrate(), 'org_a');
    for (const { message } of [shown?.error ?? {}, error ?? {}])
      expect(message).toContain(`${file} ended its transaction itself`);
    expect(shown?.statements).toEqual([]);
    await expectNothing(fleet);
  },
);

test('what only the server can read runs statement by statement, in every tenant', async ({ skip }) => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  const [{ version } = { version: 0 }] = await fleet.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  skip(version >= 160_000, 'the word is reserved since PostgreSQL 16');
  const texts = [
    'CREATE TABLE sessions (system_user text)',
    'CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$',
  ];
  await fleet.add('3_one.sql', `-- migrate:up\n${texts.join(';\n')};`);
  await fleet.add(
    '4_two.js',
    knexMigration(raw(texts.join(';').replace('sessions', 'more').replace('f()', 'g()'))),
  );
  await fleet.add('5_three.js', knexMigration(raw('CREATE TABLE plain (system_user text)')));
  const events: string[] = [];
  const { tenants } = await fleet.migrate({
    observe: (event) => event.type === 'note' && events.push(event.message),
  });
  expect(tenants.map(({ error }) => error?.message)).toEqual([undefined, undefined, undefined, undefined]);
  expect(await fleet.tables('org_d')).toEqual(['more', 'notes', 'plain', 'sessions', 'tags']);
  expect(events).toEqual([
    '3_one.sql, 4_two.js, 5_three.js are run for every tenant separately: it has SQL that only the server can read.',
  ]);
  await fleet.add('6_bad.sql', `-- migrate:up\nSELECT 1 AS end;\nSELECT system_user\n  FROM nothing;`);
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({
    sqlstate: '42P01',
    at: '6_bad.sql:4:8',
    statement: 'SELECT system_user\n  FROM nothing',
  });
  expect(await fleet.query(`SELECT 1 FROM ${SCHEMA}.sessions`)).toEqual([]);
});

test.each([
  [
    '.sql',
    '3_test.sql',
    (up: string) => `-- migrate:up transaction:false\n${up}`,
    '-- migrate:up transaction:false allow-unparsed',
  ],
  [
    'Knex',
    '3_test.js',
    (up: string) => `${knexMigration(raw(up))}export const config = { transaction: false };`,
    'export const config = { transaction: false, allowUnparsed: true };',
  ],
])(
  'outside a transaction, what the parser cannot read is sent only if the migration says so: %s',
  async (_, file, form, says) => {
    const fleet = await createFleet(['org_a']);
    const text = 'CREATE TABLE made ();\nCREATE TABLE sessions (system_user text);';
    await fleet.add(file, form(text));
    const { error } = resultOf(await fleet.migrate(), 'org_a');
    expect(error).toMatchObject({ code: 'MIGRATION_INVALID', migration: file });
    expect(error?.message).toContain('syntax error at or near "system_user"');
    expect(error?.hint).toContain(says);
    expect(error?.hint).toContain('quote the word');
    await expectNothing(fleet);
    const allowing = await createFleet(['org_a']);
    const allow = file.endsWith('.sql')
      ? 'transaction:false allow-unparsed'
      : 'transaction: false, allowUnparsed: true';
    await allowing.add(file, form(text).replace(/transaction: ?false/, allow));
    const allowed = resultOf(await allowing.migrate(), 'org_a');
    const isMade = (await allowing.tables('org_a')).includes('sessions');
    // A server that cannot read it either says so itself.
    expect(['42601', 'made']).toContain(isMade ? 'made' : allowed.error?.sqlstate);
  },
);

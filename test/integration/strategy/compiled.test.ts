import { expect, inject, test, vi } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { resultOf } from '../../support/fleet.ts';
import {
  ALL_INTERACTIVE,
  fiveTenants,
  THREE_IN_ONE_STRING,
  useFiveTenants,
} from '../../support/five-tenants.ts';
import { knexMigration } from '../../support/project.ts';

const twinsWith = useFiveTenants();

/** The first major version that has what a migration uses: gen_random_uuid(), BEGIN ATOMIC. */
const SINCE: Readonly<Record<string, number>> = {
  'creates tables of all kinds': 13,
  'has a body without quotes': 14,
};

/** As JavaScript that sends these texts, one after the other. */
const raw = (...texts: string[]) =>
  texts.map((text) => `await knex.raw(${JSON.stringify(text)});`).join('\n');

test.for<[sentence: string, up: string]>([
  [
    'creates tables of all kinds',
    `
    await knex.schema.createTable('a', (table) => {
      table.increments(); table.bigInteger('big').unsigned().index(); table.string('s', 40).notNullable().defaultTo("it's ?").comment("a 'c' \\\\ d");
      table.text('t').unique(); table.decimal('d', 12, 2).defaultTo(0); table.boolean('b').defaultTo(true).index();
      table.jsonb('j').defaultTo('{}'); table.uuid('u').defaultTo(knex.fn.uuid()); table.timestamps(true, true);
      table.timestamp('at').defaultTo(knex.fn.now(3)); table.enu('e', ['x', 'y'], { useNative: true, enumName: 'kind' });
      table.enum('f', ['p', 'q']); table.specificType('arr', 'text[]').defaultTo(knex.raw("'{}'::text[]"));
      table.integer('note').references('id').inTable('notes').onDelete('CASCADE'); table.unique(['s', 't'], { indexName: 'both' });
      table.check('?? > 0', ['d'], 'positive'); table.comment('a table');
    });`,
  ],
  [
    'alters a table in every way',
    `
    await knex.schema.alterTable('notes', (table) => { table.string('x', 30).defaultTo('y'); table.integer('z'); table.index('x', 'x_index'); });
    await knex.schema.alterTable('notes', (table) => { table.string('x', 300).notNullable().alter(); table.setNullable('x'); table.dropNullable('x'); table.renameColumn('z', 'zz'); table.dropIndex('x', 'x_index'); });
    await knex.schema.table('notes', (table) => { table.dropColumn('zz'); table.check('id > -1', [], 'c'); });
    await knex.schema.alterTable('notes', (table) => { table.dropChecks('c'); });
    await knex.schema.renameTable('tags', 'labels').dropTableIfExists('nothing').createTableLike('tags', 'labels');`,
  ],
  [
    'makes views, schemas, references',
    `
    await knex.schema.createView('v', (view) => { view.columns(['id']); view.as(knex('notes').select('id').whereNotNull('id')); });
    await knex.schema.createViewOrReplace('w', (view) => { view.as(knex.raw('SELECT 1 AS one')); });
    await knex.schema.dropView('w').raw('CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM v').refreshMaterializedView('m');`,
  ],
  [
    'chains everything in one call',
    `return knex.schema.createTable('a', (t) => t.increments()).createTable('b', (t) => { t.integer('a').references('a.id'); }).raw('INSERT INTO a DEFAULT VALUES').table('a', (t) => t.text('c'));`,
  ],
  [
    'inserts constant rows',
    raw(`INSERT INTO notes (id) VALUES (100), (101)`, `INSERT INTO tags SELECT id + 1000 FROM notes`),
  ],
  [
    'inserts rows that only the server knows',
    `await knex('tags').insert(knex.raw('SELECT id + 1000 FROM notes')); await knex('notes').insert({ id: knex.raw('(SELECT 500 + count(*) FROM tags)') });`,
  ],
  ['inserts from names that it binds', `await knex.raw('INSERT INTO ?? (??) SELECT 100', ['tags', 'id']);`],
  [
    'decides on the server, in a DO block',
    raw(
      `DO $$ BEGIN IF EXISTS (SELECT FROM notes) THEN CREATE TABLE had_notes AS SELECT * FROM notes; ELSE CREATE TABLE had_none (); END IF; IF to_regclass('extra') IS NOT NULL THEN DROP TABLE extra; END IF; END $$`,
    ),
  ],
  [
    'decides on the server, IF EXISTS',
    raw(
      'ALTER TABLE notes ADD COLUMN IF NOT EXISTS body text',
      'DROP TABLE IF EXISTS extra',
      'CREATE TABLE IF NOT EXISTS extra (id int)',
    ),
  ],
  [
    'says nothing about what a statement returned',
    `await knex.raw('SELECT * FROM notes'); const ignored = await knex.raw('SELECT 1; SELECT * FROM tags'); await knex.raw('CREATE TABLE a ()');`,
  ],
  [
    'sends its statements all at once',
    `await Promise.all([1, 2, 3].map((n) => knex.schema.createTable('a' + n, (t) => t.increments()))); await Promise.all(['x', 'y'].map((n) => knex.raw('ALTER TABLE a1 ADD ' + n + ' int')));`,
  ],
  [
    'waits for none of its statements',
    `knex.raw('CREATE TABLE a (id int)').then(() => {}); knex.raw('INSERT INTO a VALUES (1)').then(() => {});`,
  ],
  ['does nothing at all', 'return;'],
  [
    'builds its SQL with what Knex offers',
    `const { schema, fn, raw } = knex; await schema.createTable('a', (t) => t.timestamp('x').defaultTo(fn.now())); await knex.raw(knex('a').select(knex.ref('x').as('y')).toString()); await knex.raw(knex.queryBuilder().from('a').toQuery());`,
  ],
  [
    'ends in a comment',
    raw(
      'CREATE TABLE a () -- the end',
      'CREATE TABLE b () /* the end */',
      'CREATE TABLE c ();;; -- ; the end',
      '-- nothing but words; here',
    ),
  ],
  [
    'has no semicolon, or one, or many',
    raw('CREATE TABLE a ()', 'CREATE TABLE b ();', ' ; ; CREATE TABLE c (); ;\n; '),
  ],
  [
    'is several statements to a text',
    raw(
      'CREATE TABLE a (); ALTER TABLE a ADD x int; INSERT INTO a VALUES (1); CREATE TABLE b AS SELECT * FROM a',
    ),
  ],
  [
    'has comments within comments',
    raw("CREATE TABLE a (/* one /* two ; */ ' */ id int)", "SELECT 1 -- it's\n, 2"),
  ],
  [
    'has bodies in dollars',
    raw(
      `CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $body$ DECLARE t text := $$;'--$$; BEGIN RETURN $1 + length(t); END; $body$`,
      `CREATE FUNCTION g(int) RETURNS int LANGUAGE sql AS 'SELECT $1 -- ;'`,
      `CREATE TABLE a AS SELECT f(1), g(2), '$1' AS one, $q$$2;$q$ AS two`,
    ),
  ],
  [
    'has a body without quotes',
    raw(
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END',
      'CREATE TABLE a AS SELECT f()',
    ),
  ],
  [
    'has question marks',
    `await knex.raw("CREATE TABLE a AS SELECT '{\\"a\\": 1}'::jsonb \\\\? 'a' AS has, 'what\\\\?' AS what");`,
  ],
  [
    'has quotes and backslashes',
    raw(
      `CREATE TABLE a AS SELECT 'it''s' AS a, E'tab\\tand \\' quote' AS b, 'C:\\' AS c, U&'d\\0061t\\+000061' AS d, "quo""ted".x AS "e;\\" FROM (SELECT 1 AS x) AS "quo""ted"`,
    ),
  ],
  [
    'speaks many languages',
    raw(
      `CREATE TABLE "täble ☃ 表" ("größe 👩‍👩‍👧" text)`,
      `INSERT INTO "täble ☃ 表" VALUES ('naïve — 漢字 🎉 \u202e')`,
      `COMMENT ON TABLE "täble ☃ 表" IS 'é'`,
    ),
  ],
  [
    'is very long',
    `await knex.raw("CREATE TABLE a AS SELECT length('" + 'x'.repeat(3_000_000) + "') AS n"); for (let n = 0; n < 300; n += 1) await knex.raw('CREATE TABLE t' + n + ' ()');`,
  ],
  ['copies to nobody', raw('COPY (SELECT generate_series(1, 1000)) TO STDOUT', 'CREATE TABLE a ()')],
  [
    'is what pg_dump writes',
    raw(
      `SET statement_timeout = 0; SET lock_timeout = 0; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
       SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning; SET row_security = off;
       SET default_tablespace = ''; SET default_table_access_method = heap;
       CREATE TABLE a (id integer NOT NULL, body text DEFAULT 'a\\b'); CREATE SEQUENCE a_id_seq AS integer;
       ALTER SEQUENCE a_id_seq OWNED BY a.id; ALTER TABLE ONLY a ALTER COLUMN id SET DEFAULT nextval('a_id_seq'::regclass);
       ALTER TABLE ONLY a ADD CONSTRAINT a_pkey PRIMARY KEY (id)`,
      'CREATE TABLE b AS SELECT * FROM a',
    ),
  ],
  [
    'changes how values are written',
    raw(
      `SET datestyle = 'German'`,
      `SET intervalstyle = 'iso_8601'`,
      `CREATE TABLE a AS SELECT '31.12.2024'::date::text AS d, '1 day'::interval::text AS i`,
      'SET LOCAL bytea_output = escape',
      `CREATE TABLE b AS SELECT '\\x41'::bytea::text AS c`,
      'SET transform_null_equals = on',
      'CREATE TABLE c AS SELECT count(*) FROM a WHERE d = NULL',
    ),
  ],
  [
    'changes its search_path',
    raw('CREATE TABLE a ()', 'SET search_path TO public', `SELECT set_config('search_path', '', false)`),
  ],
  [
    'checks its constraints when it says so',
    raw(
      'CREATE TABLE a (id int PRIMARY KEY)',
      'CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)',
      'INSERT INTO b VALUES (1)',
      'INSERT INTO a VALUES (1)',
      'SET CONSTRAINTS ALL IMMEDIATE',
      'ALTER TABLE b ADD x int',
    ),
  ],
  [
    'leaves its session as another',
    raw(
      'CREATE TEMP TABLE scratch AS SELECT 1',
      'SELECT pg_advisory_lock(99)',
      `SET statement_timeout = '77s'`,
      'SET session_replication_role = replica',
      'CREATE TABLE a ()',
      'SET ROLE pg_monitor',
    ),
  ],
  [
    'takes another role for a while',
    raw('SET LOCAL ROLE pg_monitor', 'RESET ROLE', 'CREATE TABLE a ()', 'SET ROLE pg_monitor'),
  ],
  [
    'goes through a cursor',
    raw('DECLARE c CURSOR FOR SELECT * FROM notes', 'FETCH ALL FROM c', 'CLOSE c', 'CREATE TABLE a ()'),
  ],
  [
    'notifies and warns',
    raw(`NOTIFY x, 'y'`, `DO $$ BEGIN RAISE WARNING 'w%', 1; RAISE NOTICE 'n'; END $$`, 'CREATE TABLE a ()'),
  ],
  [
    'writes to the history itself',
    raw(
      `UPDATE knex_migrations_tenant SET migration_time = migration_time`,
      `INSERT INTO knex_migrations_tenant (name, batch, migration_time) VALUES ('20250101000001_notes.sql', 1, now())`,
      `DELETE FROM knex_migrations_tenant WHERE id = (SELECT max(id) FROM knex_migrations_tenant)`,
    ),
  ],
  [
    'has an error that the server catches',
    raw(
      `DO $$ BEGIN BEGIN INSERT INTO tags VALUES (7); INSERT INTO tags VALUES (7); EXCEPTION WHEN unique_violation THEN CREATE TABLE caught (); END; END $$`,
    ),
  ],
  [
    'sees the settings of its transaction',
    raw(
      `CREATE TABLE a AS SELECT current_setting('lock_timeout') AS lock, current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('transaction_isolation') AS level, current_schema() AS here, current_user AS me`,
    ),
  ],
])(
  'a migration that %s is sent to all others in one string, and each is as Knex would leave it',
  async ([sentence, up], { skip }) => {
    const since = SINCE[sentence] ?? 0;
    skip(inject('serverVersion') < since * 10_000, `PostgreSQL has that since ${since}`);
    const { twins } = await twinsWith(knexMigration(up));
    const { compiled, interactive, notes } = await twins.migrate();
    expect(compiled.tenants.flatMap(({ error }) => error?.message ?? [])).toEqual([]);
    expect(interactive.totals).toEqual(compiled.totals);
    expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
    await twins.expectSame();
    expect(notes).toEqual([]);
    expect(await twins.ways()).toEqual(THREE_IN_ONE_STRING);
  },
);

test('a migration without a transaction is gone through with every tenant', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add('3_first.sql', '-- migrate:up\nCREATE TABLE a ();');
  await twins.fleet.add(
    '4_index.js',
    knexMigration(
      raw('CREATE INDEX CONCURRENTLY notes_body ON notes (id)'),
      '',
      'export const config = { transaction: false };',
    ),
  );
  await twins.migrate({ concurrency: 1 });
  await twins.expectSame();
  expect(await twins.ways()).toEqual(ALL_INTERACTIVE);
});

test('with compile: false nothing is sent to all, forward or back', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add('3_test.sql', '-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;');
  await twins.fleet.migrate({ compile: false });
  expect(await twins.ways()).toEqual(ALL_INTERACTIVE);
  await twins.fleet.rollback({ compile: false });
  expect(await twins.ways()).toEqual(ALL_INTERACTIVE);
});

test('the function of a migration runs for the first two tenants and for those whose string fails', async () => {
  const twins = await fiveTenants();
  await twins.fleet.query(`ALTER TABLE ${resultSchema(twins.compiled[3])}.notes ADD x int`);
  await twins.fleet.add(
    '3_test.js',
    knexMigration(
      `console.log('3_test runs'); await knex.schema.alterTable('notes', (t) => t.integer('x'));`,
    ),
  );
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const result = await twins.fleet.migrate({ tenants: twins.compiled });
  expect(log.mock.calls).toEqual(Array.from({ length: 3 }, () => ['3_test runs']));
  log.mockRestore();
  expect(resultOf(result, twins.compiled[3] ?? '').error).toMatchObject({
    sqlstate: '42701',
    statement: 'alter table "notes" add column "x" integer',
  });
  expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
});

test.each([
  ['commits', raw('CREATE TABLE a ()', 'COMMIT', 'CREATE TABLE b ()')],
  [
    'commits in a procedure',
    raw('CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$', 'CALL p()'),
  ],
  ['commits in a DO block', raw('DO $$ BEGIN COMMIT; END $$')],
  ['goes on after a failure', `await knex.raw('SELECT nothing').catch(() => {});`],
  ['is unable to parse', raw('CREATE TABEL a ()')],
  ['copies from nobody', raw('COPY notes FROM STDIN')],
])('a migration that %s fails for every tenant as it would alone, and nothing remains', async (_, up) => {
  const twins = await fiveTenants();
  await twins.fleet.add('3_test.js', knexMigration(up));
  const { compiled, interactive } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 0, failed: 5 });
  const reports = (result: typeof compiled) =>
    result.tenants
      .toSorted((a, b) => (a.clerkOrgId < b.clerkOrgId ? -1 : 1))
      .map(({ error }) => [error?.message, error?.sqlstate, error?.statement, error?.migration]);
  expect(reports(compiled)).toEqual(reports(interactive));
  await twins.expectSame();
});

function resultSchema(organization: string | undefined): string {
  return schemaNameFor(organization ?? '');
}

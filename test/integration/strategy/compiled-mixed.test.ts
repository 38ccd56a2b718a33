import { expect, onTestFinished, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { fiveTenants } from '../../support/five-tenants.ts';
import { useOlderFiles } from '../../support/older-files.ts';
import { knexMigration } from '../../support/project.ts';
import { createTwins } from '../../support/twins.ts';

useOlderFiles();

test('what reads, what varies and what does neither stand in one plan, each in its way', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add(
    '3_first.js',
    knexMigration(`await knex.schema.createTable('first', (t) => t.increments());`),
  );
  await twins.fleet.add(
    '4_reads.js',
    knexMigration(`
    if (await knex.schema.hasTable('extra')) await knex('first').insert({ id: 10 });
    await knex.raw("SELECT setval('first_id_seq', 100 + (SELECT count(*) FROM tags))");`),
  );
  await twins.fleet.add(
    '5_varies.js',
    knexMigration(`
    const before = Date.now(); await knex('first').insert({ id: before > 0 ? 20 : 30 });
    await knex.raw("SET LOCAL standard_conforming_strings = off");`),
  );
  await twins.fleet.add(
    '6_last.sql',
    `-- migrate:up\nINSERT INTO first VALUES (40); COMMENT ON TABLE first IS 'a\\b';`,
  );
  const { compiled, notes } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
  await twins.expectSame();
  expect(await twins.ways()).toEqual(['interactively', 'in parts', 'in parts', 'interactively', 'in parts']);
  expect(notes).toEqual(['5_varies.js is run for every tenant separately: it uses Date.now in line 3.']);
});

test("a step that Knex runs and that fails for one tenant is that tenant's failure, and nothing remains of the strings before", async () => {
  const twins = await fiveTenants();
  await twins.fleet.add('3_first.sql', '-- migrate:up\nCREATE TABLE first (id int);');
  await twins.fleet.add(
    '4_varies.js',
    knexMigration(`if (Date.now() > 0 && (await knex('tags')).length > 0) throw new Error('there are tags');
    await knex.raw('CREATE TABLE second (id int)');`),
  );
  await twins.fleet.add('5_last.sql', '-- migrate:up\nCREATE TABLE third (id int);');
  const { compiled, interactive } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 1 });
  const failed = ({ tenants }: typeof compiled) =>
    tenants.flatMap(({ error }) => (error === undefined ? [] : [[error.message, error.migration]]));
  expect(failed(compiled)).toEqual([['there are tags', '4_varies.js']]);
  expect(failed(compiled)).toEqual(failed(interactive));
  await twins.expectSame();
  expect((await twins.ways()).slice(2, 4)).toEqual(['in parts', 'in parts']);
});

test('a column outside the schema that Knex grants for one tenant alone, between two strings, is found', async () => {
  const twins = await fiveTenants();
  await twins.fleet.query('CREATE TABLE public.plans (id int, name text)');
  await twins.fleet.add('3_first.sql', '-- migrate:up\nCREATE TABLE first (id int);');
  await twins.fleet.add(
    '4_varies.js',
    knexMigration(`if (Date.now() > 0 && (await knex('tags')).length > 0)
      await knex.raw('GRANT SELECT (name) ON public.plans TO PUBLIC');`),
  );
  await twins.fleet.add('5_last.sql', '-- migrate:up\nCREATE TABLE third (id int);');
  const { compiled } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 1 });
  const messages = compiled.tenants.flatMap(({ error }) => error?.message ?? []);
  expect(messages).toEqual([expect.stringContaining('changed the table public.plans')]);
  expect((await twins.ways()).slice(2, 4)).toEqual(['in parts', 'in parts']);
});

test('what Knex makes outside the schema without a lock, for one tenant alone, is found', async () => {
  const twins = await fiveTenants();
  await twins.fleet.query('CREATE DOMAIN public.code AS text');
  await twins.fleet.add('3_first.sql', '-- migrate:up\nCREATE TABLE first (id int);');
  await twins.fleet.add(
    '4_varies.js',
    knexMigration(`if (Date.now() > 0 && (await knex('tags')).length > 0)
      await knex.raw("COMMENT ON DOMAIN public.code IS 'taken'");`),
  );
  await twins.fleet.add('5_last.sql', '-- migrate:up\nCREATE TABLE third (id int);');
  const { compiled } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 1 });
  const messages = compiled.tenants.flatMap(({ error }) => error?.message ?? []);
  expect(messages).toEqual([expect.stringContaining('public.code')]);
  expect((await twins.ways()).slice(2, 4)).toEqual(['in parts', 'in parts']);
});

test('a new value of an enum is committed before it is used, and both transactions are strings', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add(
    '3_kind.sql',
    "-- migrate:up\nCREATE TYPE kind AS ENUM ('a'); CREATE TABLE kinds (kind kind);",
  );
  await twins.fleet.migrate();
  await twins.fleet.add('4_add.js', knexMigration(`await knex.raw("ALTER TYPE kind ADD VALUE 'b'");`));
  await twins.fleet.add('5_use.js', knexMigration(`await knex('kinds').insert({ kind: 'b' });`));
  await twins.fleet.add('6_more.sql', '-- migrate:up\nCREATE TABLE more (id int);');
  const { compiled, notes } = await twins.migrate();
  expect(compiled.tenants.map(({ names, batch }) => [names.length, batch])).toEqual(
    Array.from({ length: 5 }, () => [3, 3]),
  );
  await twins.expectSame();
  expect(await twins.ways()).toEqual(['interactively', ...Array.from({ length: 4 }, () => 'in one string')]);
  expect(notes).toEqual([]);
});

test('a tenant of which the second transaction fails keeps the first, as with Knex', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add(
    '3_kind.sql',
    "-- migrate:up\nCREATE TYPE kind AS ENUM ('a'); CREATE TABLE kinds (kind kind);",
  );
  await twins.fleet.migrate();
  await twins.fleet.add('4_add.js', knexMigration(`await knex.raw("ALTER TYPE kind ADD VALUE 'b'");`));
  await twins.fleet.add(
    '5_use.js',
    knexMigration(`await knex.raw("ALTER TABLE notes ADD kind kind DEFAULT 'b', ADD CHECK (id < 3)");`),
  );
  const { compiled, interactive } = await twins.migrate();
  const outcomes = ({ tenants }: typeof compiled) =>
    tenants
      .toSorted((one, other) => (one.clerkOrgId < other.clerkOrgId ? -1 : 1))
      .map(({ outcome, names, error }) => [outcome, names, error?.message]);
  expect(outcomes(compiled)).toEqual(outcomes(interactive));
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 1 });
  const failed = [...compiled.tenants, ...interactive.tenants].filter(({ outcome }) => outcome === 'failed');
  await twins.expectSame(failed.map(({ clerkOrgId }) => clerkOrgId));
});

test('an answer of another type, of other names or in another order is another answer', async () => {
  const twins = await fiveTenants();
  const [, , third = '', fourth = '', fifth = ''] = [...twins.compiled];
  await twins.fleet.query(
    [...twins.compiled, ...twins.interactive]
      .map(
        (organization) =>
          `CREATE TABLE ${schemaNameFor(organization)}.facts (fact int, other int); INSERT INTO ${schemaNameFor(organization)}.facts VALUES (1, 2), (3, 4);`,
      )
      .join('\n'),
  );
  const both = (organization: string) => [
    organization,
    twins.interactive[twins.compiled.indexOf(organization)] ?? '',
  ];
  const alter = (organization: string, sql: (schema: string) => string) =>
    Promise.all(both(organization).map((each) => twins.fleet.query(sql(schemaNameFor(each)))));
  await alter(third, (schema) => `ALTER TABLE ${schema}.facts ALTER fact TYPE text`);
  await alter(fourth, (schema) => `ALTER TABLE ${schema}.facts RENAME fact TO what`);
  await alter(fifth, (schema) => `UPDATE ${schema}.facts SET other = 2 WHERE other = 2`);
  await twins.fleet.add(
    '3_facts.js',
    knexMigration(`
    const rows = await knex.select().from('facts');
    for (const row of rows) await knex.raw(\`CREATE TABLE seen_\${Object.keys(row)[0]}_\${typeof row[Object.keys(row)[0]]}_\${Object.values(row)[0]} ()\`);`),
  );
  const { compiled } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
  await twins.expectSame();
  expect(await twins.ways()).toEqual([
    'interactively',
    'in parts',
    'interactively',
    'interactively',
    'interactively',
  ]);
});

/** What the third tenant alone answers differently, after an id was taken from a sequence in a way that no INSERT shows. */
const TAKES_AN_ID: readonly (readonly [how: string, up: string])[] = [
  ['a trigger of a row that is changed', `await knex('items').update({ name: 'a' });`],
  [
    'a trigger of a row that is deleted, before a read',
    `await knex.raw("DELETE FROM items WHERE name = 'x'"); await knex('tags').insert((await knex('tags')).map(({ id }) => ({ id: id + 1 })).concat({ id: 99 }));`,
  ],
  ['a function', `await knex.raw('SELECT note()'); await knex('tags').update({ id: 5 });`],
  [
    'a nested transaction, whose error is caught',
    `await knex('items').insert({ name: 'b' }); await knex.transaction((inner) => inner('tags').insert({ id: 7 })).catch(() => {});`,
  ],
];

test.each(TAKES_AN_ID)(
  'a tenant that differs gets the ids that Knex would give it after %s',
  async (_, up) => {
    const prepare = (nth: number) => `
    CREATE TABLE log (id serial, what text);
    CREATE FUNCTION note() RETURNS int LANGUAGE sql AS $f$ INSERT INTO log (what) VALUES ('x') RETURNING id $f$;
    CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM note(); RETURN NULL; END $f$;
    CREATE TABLE items (id int GENERATED BY DEFAULT AS IDENTITY, name text);
    INSERT INTO items (name) VALUES ('x');
    CREATE TRIGGER log AFTER UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION log();
    ${nth < 2 ? '' : `INSERT INTO tags VALUES (7); INSERT INTO items (name) VALUES ('x')`}`;
    const twins = await createTwins(3, prepare);
    await twins.fleet.add('3_items.js', knexMigration(up));
    const { compiled } = await twins.migrate();
    expect(compiled.totals).toMatchObject({ changed: 3, failed: 0 });
    await twins.expectSame();
  },
);

test('a tenant alone that has a sequence gets the ids that Knex would give it, also in a later wave', async () => {
  const twins = await createTwins(4, (nth) =>
    nth < 3
      ? 'CREATE TABLE items (id int, name text)'
      : 'CREATE TABLE items (id serial, name text); INSERT INTO tags VALUES (7)',
  );
  await twins.fleet.add(
    '3_insert.js',
    knexMigration(
      `await knex('items').insert({ name: String((await knex('items').insert({ name: 'a' }), await knex('tags')).length) });`,
    ),
  );
  const { compiled } = await twins.migrate({ rollout: { wave: { count: 3 } } });
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 0 });
  await twins.expectSame();
});

test('what an earlier run has kept costs no tenant an id if the guard would refuse it now', async () => {
  const twins = await createTwins(3, () => 'CREATE TABLE items (id serial)');
  const { fleet, compiled, interactive } = twins;
  await fleet.add('3_items.sql', '-- migrate:up\nINSERT INTO items DEFAULT VALUES;');
  await fleet.migrate({ tenants: compiled.slice(0, 2) });
  await fleet.migrate({ tenants: interactive.slice(0, 2), compile: false });
  const triggers = [...compiled, ...interactive].map(
    (id) => `CREATE TRIGGER log AFTER INSERT ON ${schemaNameFor(id)}.items EXECUTE FUNCTION audit.log()`,
  );
  await fleet.query(`CREATE SCHEMA audit; CREATE TABLE audit.logs (id serial);
    CREATE FUNCTION audit.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO audit.logs DEFAULT VALUES; RETURN NULL; END $f$;
    ${triggers.join(';')}`);
  const results = await twins.migrate();
  expect(results.compiled.totals).toMatchObject({ changed: 1, failed: 0 });
  await twins.expectSame();
});

test('a tenant that answers differently after a COMMIT has one batch in its history, as with Knex', async () => {
  const twins = await createTwins(3, (nth) => (nth < 2 ? '' : 'INSERT INTO tags VALUES (7)'));
  await twins.fleet.add(
    '3_moods.sql',
    `-- migrate:up\nCREATE TYPE mood AS ENUM ('ok'); ALTER TYPE mood ADD VALUE 'fine';`,
  );
  await twins.fleet.add('4_read.js', knexMigration(`await knex('tags').update({ id: 5 });`));
  const { compiled } = await twins.migrate();
  expect(compiled.tenants.map(({ batch }) => batch)).toEqual([2, 2, 2]);
  await twins.expectSame();
  const { fleet } = twins;
  await fleet.add(
    '5_count.js',
    knexMigration(
      `const { rows } = await knex.raw('SELECT count(*) >= 7 AS many FROM public.tenants WHERE status::text = ?', ['ACTIVE']);
       await knex.raw(rows[0].many ? 'CREATE TABLE many ()' : 'CREATE TABLE few ()');`,
    ),
  );
  await fleet.provision('new_a', 'new_b', 'new_c');
  expect(await fleet.tables('new_c')).toContain('many');
  const batches = (await fleet.history('new_c')).map((row) => row.split('@')[1]);
  expect(batches).toEqual(['1', '1', '1', '1', '1']);
});

test('a tenant that answers differently gets the ids that Knex would give it: no number is drawn twice', async () => {
  const twins = await createTwins(
    4,
    (nth) => `CREATE TABLE items (id serial, name text); ${nth < 3 ? '' : 'INSERT INTO tags VALUES (7)'}`,
  );
  const insert = `await knex('items').insert({ name: 'an item' });`;
  const read = `await knex('items').insert({ name: String((await knex('tags')).length) });`;
  await twins.fleet.add('3_insert.js', knexMigration(insert));
  await twins.fleet.add('4_read.js', knexMigration(read));
  const { notes } = await twins.migrate();
  await twins.expectSame();
  expect(notes).toEqual([
    '4_read.js is run for every tenant separately: it reads after ids may have been taken from a sequence.',
  ]);
  expect((await twins.ways()).at(-1)).toBe('in parts');
});

test('if the tenant that showed what to send is the odd one, the next one finds out, and Knex runs all', async () => {
  const twins = await createTwins(5, (nth) => (nth === 0 ? 'INSERT INTO tags VALUES (7)' : undefined));
  await twins.fleet.add(
    '3_read.js',
    knexMigration(`await knex.raw('CREATE TABLE of_' + (await knex('tags')).length + ' ()');`),
  );
  const { compiled, notes } = await twins.migrate({ concurrency: 1 });
  expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
  await twins.expectSame();
  expect(await twins.ways()).toEqual(Array.from({ length: 5 }, () => 'interactively'));
  expect(notes).toEqual([
    '3_read.js is run for every tenant separately: it sent different statements to two tenants.',
  ]);
});

test.each([
  ['a second one', 1, ['interactively', 'in one string', 'in one string', 'in one string']],
  ['a later one', 3, ['in one string', 'in one string', 'interactively', 'in one string', 'in one string']],
])(
  'where the guard refuses what one tenant has shown, %s shows what else is allowed',
  async (_, first, ways) => {
    const count = ways.length + 1;
    const twins = await createTwins(count, (nth) =>
      nth < first ? undefined : 'CREATE TABLE items (id int)',
    );
    const { fleet, compiled, interactive } = twins;
    const triggers = [...compiled.slice(first), ...interactive.slice(first)].map(
      (id) => `CREATE TRIGGER log AFTER INSERT ON ${schemaNameFor(id)}.items EXECUTE FUNCTION audit.log()`,
    );
    await fleet.query(`CREATE SCHEMA audit; CREATE TABLE audit.logs (what text);
    CREATE FUNCTION audit.log() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO audit.logs VALUES ('x'); RETURN NULL; END $f$;
    ${triggers.join(';')}`);
    await fleet.add(
      '3_items.sql',
      '-- migrate:up\nCREATE TABLE IF NOT EXISTS items (id int); INSERT INTO items VALUES (1);',
    );
    const results = await twins.migrate({ concurrency: 1 });
    expect(results.compiled.totals).toMatchObject({ changed: count, failed: 0 });
    await twins.expectSame();
    expect((await twins.ways()).slice(1)).toEqual(ways);
  },
);

test.each([
  ['one tenant shows', '', ['interactively', 'in one string', 'in one string', 'in one string']],
  [
    'each tenant shows, if other code may change the process,',
    `process.env.TENANTCTL_TEST_CALLS = String(Number(process.env.TENANTCTL_TEST_CALLS ?? 0) + 1);`,
    ['interactively', 'interactively', 'interactively', 'interactively'],
  ],
])('code that depends on the process: %s what is sent', async (_, changes, ways) => {
  const twins = await createTwins(4);
  await twins.fleet.add('3_first.js', knexMigration(`${changes} await knex.raw('CREATE TABLE first ()');`));
  await twins.fleet.add(
    '4_asks.js',
    knexMigration(
      `await knex.raw('CREATE TABLE calls_' + (process.env.TENANTCTL_TEST_CALLS ?? 'none') + ' ()');`,
    ),
  );
  onTestFinished(() => void delete process.env.TENANTCTL_TEST_CALLS);
  const { totals } = await twins.fleet.migrate({ tenants: twins.compiled, concurrency: 1 });
  expect(totals).toMatchObject({ changed: 4, failed: 0 });
  expect(await twins.ways()).toEqual(ways);
  const tables = await Promise.all(twins.compiled.map((id) => twins.fleet.tables(id)));
  const calls = tables.map((all) => all.filter((table) => table.startsWith('calls_')));
  expect(calls).toEqual(
    changes === '' ? calls.map(() => ['calls_none']) : calls.map((_calls, at) => [`calls_${at + 1}`]),
  );
});

test('an extension that the first tenant creates is there for the second one, and Knex runs the migration for all', async () => {
  const twins = await createTwins(4);
  await twins.fleet.add(
    '3_mails.sql',
    '-- migrate:up\nCREATE EXTENSION citext; CREATE TABLE mails (mail citext);',
  );
  const { compiled, notes } = await twins.migrate({ concurrency: 1 });
  expect(compiled.totals).toMatchObject({ changed: 4, failed: 0 });
  await twins.expectSame();
  expect(notes).toEqual([
    '3_mails.sql is run for every tenant separately: it sent different statements to two tenants.',
  ]);
});

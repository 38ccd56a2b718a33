import { expect, test } from 'vitest';
import type { MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

const NOTES = `${schemaNameFor('org_a')}.notes`;

/** Runs these function bodies, or whole files, in turn. @returns the rows of each, or its error and statement */
async function runEach(
  fleet: TestFleet,
  forms: Readonly<Record<string, string>>,
  options: Partial<MigrateTenantsOptions> = {},
) {
  const seen: Record<string, unknown> = {};
  for (const [form, text] of Object.entries(forms)) {
    // Node loads a file once.
    const name = `3_${Object.keys(forms).length}_${Object.keys(seen).length}.js`;
    await fleet.add(name, text.startsWith('export') ? text : knexMigration(text));
    const { error } = resultOf(await fleet.migrate(options), 'org_a');
    const ids = (await fleet.query(`DELETE FROM ${NOTES} RETURNING id`)).map(({ id }) => Number(id));
    seen[form] =
      error === undefined
        ? ids.toSorted((a, b) => a - b)
        : [error.message.replace(name, 'It'), error.statement, ...ids];
    await fleet.query(`DELETE FROM ${schemaNameFor('org_a')}.knex_migrations_tenant WHERE name = '${name}'`);
    await fleet.project.remove(`migrations/tenants/${name}`);
  }
  return seen;
}

test('a statement that was built and never sent fails its migration, whatever else it has done', async () => {
  const fleet = await createFleet(['org_a']);
  const unsent = (statement: string) => ['It built a statement that was never sent.', statement];
  const inserted = `insert into "notes" ("id") values (2)`;
  const one = `await knex('notes').insert({ id: 1 });`;

  const seen = await runEach(fleet, {
    schema: `knex.schema.createTable('a', (table) => table.integer('b'));`,
    'schema in a callback': `await knex.schema.hasTable('a').then((has) => { if (!has) knex.schema.dropTable('a'); });`,
    insert: `${one} knex('notes').insert({ id: 2 });`,
    'insert in a nested transaction': `await knex.transaction(async (inner) => { inner('notes').insert({ id: 2 }); });`,
    raw: `${one} knex.raw('INSERT INTO notes VALUES (?)', [2]);`,
    'raw with a function': `knex.raw("SELECT setval('a', 1)");`,
    'array of builders': `return [2].map((id) => knex('notes').insert({ id }));`,
    'outside a transaction': `export const up = (knex) => { knex.raw('VACUUM notes'); }; export const config = { transaction: false };`,
  });

  expect(seen).toEqual({
    schema: unsent('create table "a" ("b" integer)'),
    'schema in a callback': unsent('drop table "a"'),
    insert: unsent(inserted),
    'insert in a nested transaction': unsent(inserted),
    raw: unsent('INSERT INTO notes VALUES (2)'),
    'raw with a function': unsent("SELECT setval('a', 1)"),
    'array of builders': unsent(inserted),
    'outside a transaction': unsent('VACUUM notes'),
  });
});

test('what a migration has started and not awaited is waited for, or fails it', async () => {
  const fleet = await createFleet(['org_a']);
  const insert = `knex('notes').insert({ id })`;
  const unstarted = ['It returned a function or generator that nobody runs.', undefined];

  const seen = await runEach(fleet, {
    'forEach(async)': `[1, 2].forEach(async (id) => { await ${insert}; await knex.raw('SELECT 1'); id += 10; await ${insert}; });`,
    'forEach(async) that reads a file': `const { readFile } = await import('node:fs/promises'); [1, 2].forEach(async (id) => { await readFile('/dev/null'); await ${insert}; });`,
    'array of promises': `return [1, 2].map(async (id) => { await new Promise((done) => setTimeout(done, 50)); await ${insert}; });`,
    batchInsert: `knex.batchInsert('notes', [{ id: 1 }, { id: 2 }]);`,
    'nested transaction': `knex.transaction(async (inner) => { await inner('notes').insert({ id: 1 }); await inner('notes').insert({ id: 2 }); });`,
    template: `const insert = knex('notes').insert({ id: 1 }); await insert.clone(); const unused = knex('notes').select(), now = knex.raw('now()');`,
    generator: `export function* up(knex) { yield knex('notes').insert({ id: 1 }); }`,
    'function in return': `export const up = (knex) => () => knex('notes').insert({ id: 1 });`,
    'open transaction': `export const up = async (knex) => { const trx = await knex.transaction(); await trx('notes').insert({ id: 1 }); }; export const config = { transaction: false };`,
  });

  // How long a file takes is unknown: it is waited for a little, and later statements are errors.
  const late = [
    'It sent a statement after its function had ended.',
    'insert into "notes" ("id") values ($1)',
  ];
  expect([[1, 2], late]).toContainEqual(seen['forEach(async) that reads a file']);
  expect(seen).toMatchObject({
    'forEach(async)': [1, 2, 11, 12],
    'array of promises': [1, 2],
    batchInsert: [1, 2],
    'nested transaction': [1, 2],
    template: [1],
    generator: unstarted,
    'function in return': unstarted,
    'open transaction': ['It left a transaction open.', undefined],
  });
});

test('a migration may return its Knex, recorded or not', async () => {
  const fleet = await createFleet(['org_a']);
  const forms = {
    'its own': `await knex('notes').insert({ id: 1 }); return knex;`,
    'that of a nested transaction': `return knex.transaction(async (inner) => { await inner('notes').insert({ id: 1 }); return inner; });`,
  };
  for (const compile of [true, false])
    expect(await runEach(fleet, forms, { compile })).toEqual({
      'its own': [1],
      'that of a nested transaction': [1],
    });
});

test('a migration reads by a stream, and writes meanwhile; an error of the stream fails it', async () => {
  const fleet = await createFleet(['org_a']);
  const numbers = `knex.raw('SELECT n AS id FROM generate_series(1, 250) n')`;
  const insert = `await knex('notes').insert(row)`;

  expect(
    await runEach(fleet, { 'without its module': `for await (const row of ${numbers}.stream()) ${insert};` }),
  ).toEqual({
    'without its module': [
      'stream() needs the package pg-query-stream in the project: npm install pg-query-stream',
      undefined,
    ],
  });

  await fleet.project.write('node_modules/pg-query-stream/package.json', '{"name":"pg-query-stream"}');
  await fleet.project.write('node_modules/pg-query-stream/index.js', '');
  const all = Array.from({ length: 250 }, (_, at) => at + 1);
  const seen = await runEach(fleet, {
    'for await': `for await (const row of await ${numbers}.stream()) ${insert};`,
    'stopped early': `for await (const row of ${numbers}.stream()) { ${insert}; break; }`,
    'function, not awaited': `${numbers}.stream(async (rows) => { for await (const row of rows) ${insert}; });`,
    'event, not awaited': `${numbers}.stream().on('data', async (row) => { ${insert}; });`,
    pipe: `const { Writable } = await import('node:stream');
      ${numbers}.pipe(new Writable({ objectMode: true, write: (row, _, done) => { knex('notes').insert(row).then(() => done(), done); } }));`,
    'INSERT with RETURNING': `for await (const row of knex('notes').insert({ id: 1 }).returning('id').stream()) row.id += 1;`,
    'outside a transaction': `export const up = async (knex) => { for await (const row of ${numbers}.stream({ batchSize: 7 })) ${insert}; }; export const config = { transaction: false };`,
    unread: `${numbers}.stream();`,
    'error that Knex drops': `await knex('nope').stream((rows) => { rows.on('error', () => {}).resume(); });`,
  });

  expect(seen).toEqual({
    'for await': all,
    'stopped early': [1],
    'function, not awaited': all,
    'event, not awaited': all,
    pipe: all,
    'INSERT with RETURNING': [1],
    'outside a transaction': all,
    unread: ['It made a stream that nobody reads.', undefined],
    'error that Knex drops': [
      'relation "nope" does not exist',
      'DECLARE "stream_1" NO SCROLL CURSOR FOR select * from "nope"',
    ],
  });
});

test('a migration that sends nothing is waited for once a run, not once a tenant', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  for (const number of Array(20).keys()) await fleet.add(`3_empty_${number}.js`, knexMigration('void knex;'));
  const { tenants } = await fleet.migrate({ compile: false, concurrency: 1 });
  const [first = 0, ...later] = tenants.map(({ durationMs }) => durationMs);
  expect(first).toBeGreaterThan(20 * 15);
  expect(Math.min(...later)).toBeLessThan(first / 2);
});

test('migrations of a transaction use the same Knex; what one of them left behind is not taken for the next one’s', async () => {
  const fleet = await createFleet(['org_a']);
  const given = `globalThis.knexOf3 ??= knex; if (globalThis.knexOf3 !== knex) throw new Error('another Knex');`;
  await fleet.add('3_0.js', knexMigration(`${given} await knex('notes').insert({ id: 1 });`));
  await fleet.add(
    '3_1.js',
    knexMigration(`${given} await (await knex.transaction())('notes').insert({ id: 2 });`),
  );
  await fleet.add(
    '3_2.js',
    knexMigration(`await knex.transaction((inner) => inner('notes').insert({ id: 3 }));`),
  );
  expect(resultOf(await fleet.migrate({ compile: false }), 'org_a').error).toBeUndefined();
  expect(await fleet.query(`SELECT id FROM ${NOTES} ORDER BY id`)).toMatchObject([
    { id: 1 },
    { id: 2 },
    { id: 3 },
  ]);

  const late = `setTimeout(() => knex('notes').insert({ id: 5 }).then(() => {}), 100);`;
  await fleet.add('4_0.js', knexMigration(`await knex('notes').insert({ id: 4 }); ${late}`));
  await fleet.add('4_1.js', knexMigration(`await knex.raw('SELECT pg_sleep(0.4)');`));
  const { error } = resultOf(await fleet.migrate({ compile: false }), 'org_a');
  expect([error?.message, error?.statement]).toEqual([
    '4_0.js sent a statement after its function had ended.',
    'insert into "notes" ("id") values ($1)',
  ]);
});

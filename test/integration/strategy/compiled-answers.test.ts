import { expect, test } from 'vitest';
import { useFiveTenants } from '../../support/five-tenants.ts';
import { useOlderFiles } from '../../support/older-files.ts';
import { knexMigration } from '../../support/project.ts';

useOlderFiles();
const twinsWith = useFiveTenants();

/** Puts a row where something was found out: so a tenant that was not asked is not as its twin. */
const IF = (condition: string) =>
  `if (${condition}) await knex.raw('CREATE TABLE it_was_so ()'); else await knex.raw('CREATE TABLE it_was_not_so ()');`;

/** Depends on the number that `builder` hands to done(), without a variable that a closure changes. */
const ASKED = (builder: string) =>
  `const n = await new Promise((done, failed) => { ${builder}.catch(failed); }); ${IF('n > 0')}`;

/** How a tenant is served: by Knex; in parts, with a look at the answers; in one string. */
const WAYS = { K: 'interactively', P: 'in parts', S: 'in one string' } as const;

test.each<[sentence: string, up: string, ways: string]>([
  ['selects rows', IF(`(await knex('notes').select()).length > 0`), 'KPKPP'],
  ['selects rows and does nothing with them', `await knex('notes').select('id'); ${IF('true')}`, 'KSSSS'],
  ['awaits a query builder', IF(`(await knex('notes')).length > 0`), 'KPKPP'],
  ['selects from the root of its Knex', IF(`(await knex.select('id').from('notes')).length > 0`), 'KPKPP'],
  ['asks for the first row', IF(`await knex('notes').first()`), 'KPKPK'],
  ['plucks', IF(`(await knex('notes').pluck('id')).length > 0`), 'KPKPP'],
  ['counts', IF(`Number((await knex('notes').count())[0].count) > 0`), 'KPKPP'],
  ['asks for the largest', IF(`(await knex('notes').max('id'))[0].max > 0`), 'KPKPP'],
  ['asks for a table', IF(`await knex.schema.hasTable('extra')`), 'KPPKP'],
  ['asks for a column', IF(`await knex.schema.hasColumn('notes', 'body')`), 'KPPPK'],
  [
    'asks for a view',
    IF(
      `await knex.schema.hasView?.('extra') ?? (await knex.raw("SELECT to_regclass('extra') AS c")).rows[0].c`,
    ),
    'KPPKP',
  ],
  [
    'asks for a table with a builder that it was handed',
    IF(`await knex.schema.withSchema(undefined).hasTable('extra')`),
    'KPPKP',
  ],
  ['selects by another builder', `await knex('notes').whereIn('id', knex('tags').select('id'));`, 'KSSSS'],
  ['updates', IF(`(await knex('notes').update({ id: knex.raw('id + 10') })) > 0`), 'KPKPP'],
  ['updates and does not look', `await knex('notes').update('id', knex.raw('id + 10'));`, 'KPKPP'],
  ['deletes', IF(`(await knex('notes').del()) > 0`), 'KPKPP'],
  ['deletes where', IF(`(await knex('notes').whereNull('id').orWhereNotNull('id').delete()) > 0`), 'KPKPP'],
  [
    'truncates what it has read about',
    IF(`(await knex('tags')).length > 0`) + ` await knex('tags').truncate();`,
    'KPPPK',
  ],
  [
    'inserts and returns',
    IF(`(await knex('tags').insert(knex.raw('SELECT id FROM notes')).returning('id')).length > 0`),
    'KPKPP',
  ],
  ['inserts values', `await knex('notes').insert({ id: 100 });`, 'KSSSS'],
  ['inserts many rows', `await knex('notes').insert([{ id: 100 }, { id: 101 }]);`, 'KSSSS'],
  ['upserts', `await knex('notes').insert({ id: 1 }).onConflict('id').ignore();`, 'KSSSS'],
  ['binds values to raw SQL', `await knex.raw('INSERT INTO notes (id) VALUES (?)', [100]);`, 'KSSSS'],
  ['binds values by name', `await knex.raw('INSERT INTO notes (id) VALUES (:id)', { id: 100 });`, 'KSSSS'],
  [
    'binds values to the schema builder',
    `await knex.schema.raw('INSERT INTO notes (id) VALUES (?)', [100]);`,
    'KSSSS',
  ],
  ['deletes where a value is bound', `await knex('notes').where('id', 1).del();`, 'KPKPP'],
  ['reads the rows of raw SQL', IF(`(await knex.raw('SELECT * FROM notes')).rows.length > 0`), 'KPKPP'],
  [
    'takes the rows apart',
    `const { rows } = await knex.raw('SELECT * FROM notes'); ${IF('rows.length > 0')}`,
    'KPKPP',
  ],
  [
    'takes the first row apart',
    `const { rows: [row] } = await knex.raw('SELECT * FROM notes'); ${IF('row')}`,
    'KPKPK',
  ],
  ['reads rowCount', IF(`(await knex.raw('SELECT * FROM notes')).rowCount > 0`), 'KPKPP'],
  [
    'reads rowCount of an update',
    IF(`(await knex.raw('UPDATE notes SET id = id + 10')).rowCount > 0`),
    'KPKPP',
  ],
  [
    'reads rows by then',
    IF(`await knex.raw('SELECT * FROM notes').then((result) => result.rows.length > 0)`),
    'KPKPP',
  ],
  [
    'reads rows by then, and is not awaited in between',
    `const seen = knex.raw('SELECT * FROM notes').then((r) => r.rows.length); await knex.raw('SELECT 1'); ${IF('(await seen) > 0')}`,
    'KPKPP',
  ],
  [
    'reads a bracketed property',
    `const key = ['row', 's'].join(''); ${IF(`(await knex.raw('SELECT * FROM notes'))[key].length > 0`)}`,
    'KPKPP',
  ],
  [
    'reads the results of several statements',
    IF(`(await knex.raw('SELECT 1; SELECT * FROM notes'))[1].rows.length > 0`),
    'KPKPP',
  ],
  [
    'takes the results of several statements apart',
    `const [, second] = await knex.raw('SELECT 1; SELECT * FROM notes'); ${IF('second.rows.length > 0')}`,
    'KPKPP',
  ],
  [
    'maps the results of several statements',
    IF(`(await knex.raw('SELECT 1; SELECT * FROM notes')).map((each) => each.rowCount)[1] > 0`),
    'KPKPP',
  ],
  [
    'reads one of several that it sent at once',
    `const [, second] = await Promise.all([knex.raw('SELECT 1'), knex.raw('SELECT * FROM notes')]); ${IF('second.rows.length > 0')}`,
    'KPKPP',
  ],
  [
    'reads the result of an insert',
    IF(`(await knex('tags').insert(knex.raw('SELECT id FROM notes'))).rowCount > 0`),
    'KPKPP',
  ],
  [
    'reads the command that a statement was',
    IF(`(await knex.raw('CREATE TABLE IF NOT EXISTS extra AS SELECT 1 AS id')).command === 'SELECT'`),
    'KPPKP',
  ],
  [
    'hands its statement to a transaction',
    `const inner = await knex.transaction(); await knex.raw('CREATE TABLE a ()').transacting(inner); await inner.commit();`,
    'KSSSS',
  ],
  [
    'has a nested transaction',
    `await knex.transaction(async (inner) => { await inner.raw('CREATE TABLE a ()'); });`,
    'KSSSS',
  ],
  [
    'has a nested transaction that may fail',
    `await knex.transaction((inner) => inner.raw('INSERT INTO notes (id) VALUES (1)')).catch(() => {}); await knex.raw('CREATE TABLE a ()');`,
    'KSKSS',
  ],
  ['has a savepoint', `await knex.savepoint((inner) => inner.raw('CREATE TABLE a ()'));`, 'KSSSS'],
  [
    'makes a savepoint by hand',
    `await knex.raw('SAVEPOINT a'); await knex.raw('CREATE TABLE a ()'); await knex.raw('RELEASE a');`,
    'KSSSS',
  ],
  [
    'makes a savepoint by hand, with a word before',
    `await knex.raw('/* now */ SAVEPOINT a'); await knex.raw('CREATE TABLE a ()'); await knex.raw('-- done\\nRELEASE a');`,
    'KSSSS',
  ],
  [
    'binds a value within an insert',
    `await knex('notes').insert({ id: knex.raw('?::int', [100]) });`,
    'KSSSS',
  ],
  [
    'listens to the clone of a builder',
    ASKED(
      `knex('tags').insert(knex.raw('SELECT id FROM notes')).clone().on('query-response', ({ rowCount }) => done(rowCount))`,
    ),
    'KPKPP',
  ],
  [
    'uses the client of the clone of a builder',
    `const { client } = knex('notes').clone(); ${IF(`(await client.raw('SELECT * FROM notes')).rows.length > 0`)}`,
    'KPKPP',
  ],
  [
    'uses the client of its functions',
    IF(`(await knex.fn.client.raw('SELECT * FROM notes')).rows.length > 0`),
    'KPKPP',
  ],
  [
    'asks in the callback of the schema builder',
    ASKED(
      `knex.schema.alterTable('tags', (table) => { table.integer('x'); done(table.client.raw('SELECT * FROM notes').then((r) => r.rows.length)); })`,
    ),
    'KPKPP',
  ],
  [
    'asks through the statement that it was handed',
    ASKED(
      `knex('tags').insert(knex.raw('SELECT id FROM notes')).modify((builder) => done(builder.client.raw('SELECT * FROM notes').then((r) => r.rows.length)))`,
    ),
    'KPKPP',
  ],
])(
  'a migration that %s is sent to the tenants that answer as the first did, and each is as Knex would leave it',
  async (_, up, expected) => {
    const { twins } = await twinsWith(knexMigration(up));
    const { compiled, interactive, notes } = await twins.migrate();
    expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
    expect(interactive.totals).toMatchObject({ changed: 5, failed: 0 });
    await twins.expectSame();
    const ways = expected.split('').map((letter) => WAYS[letter as keyof typeof WAYS]);
    expect(await twins.ways()).toEqual(ways);
    expect(notes).toEqual([]);
  },
);

import { expect, test } from 'vitest';
import { ALL_INTERACTIVE, useFiveTenants } from '../../support/five-tenants.ts';
import { knexMigration } from '../../support/project.ts';

const twinsWith = useFiveTenants();

/** Puts a row where something was found out: so a tenant that was not asked is not as its twin. */
const IF = (condition: string) =>
  `if (${condition}) await knex.raw('CREATE TABLE it_was_so ()'); else await knex.raw('CREATE TABLE it_was_not_so ()');`;

const READS = 'it reads what a statement returned';

test.each<[sentence: string, up: string, reason: string]>([
  ['selects rows', IF(`(await knex('notes').select()).length > 0`), READS],
  ['selects rows and does nothing with them', `await knex('notes').select('id'); ${IF('true')}`, READS],
  ['awaits a query builder', IF(`(await knex('notes')).length > 0`), READS],
  [
    'selects from the root of its Knex',
    IF(`(await knex.select('id').from('notes')).length > 0`),
    'it uses knex.select',
  ],
  ['asks for the first row', IF(`await knex('notes').first()`), 'it binds values'],
  ['plucks', IF(`(await knex('notes').pluck('id')).length > 0`), READS],
  ['counts', IF(`Number((await knex('notes').count())[0].count) > 0`), READS],
  ['asks for the largest', IF(`(await knex('notes').max('id'))[0].max > 0`), READS],
  ['asks for the columns', IF(`(await knex('notes').columnInfo()).body`), 'it uses .columnInfo'],
  ['asks for one column', IF(`(await knex('notes').columnInfo('body')).type`), 'it uses .columnInfo'],
  ['asks for a table', IF(`await knex.schema.hasTable('extra')`), 'it uses .hasTable'],
  ['asks for a column', IF(`await knex.schema.hasColumn('notes', 'body')`), 'it uses .hasColumn'],
  [
    'asks for a view',
    IF(
      `await knex.schema.hasView?.('extra') ?? (await knex.raw("SELECT to_regclass('extra') AS c")).rows[0].c`,
    ),
    READS,
  ],
  [
    'asks for a table with a builder that it was handed',
    IF(`await knex.schema.withSchema(undefined).hasTable('extra')`),
    'it uses .hasTable',
  ],
  ...[
    ['inspects an answer', `inspect(answer)`],
    ['inspects an answer as it is', `inspect(answer, { customInspect: false })`],
    ['inspects an answer and its proxy', `inspect(answer, { showProxy: true })`],
    ['formats an answer', `format('%s %o', 1, [answer])`],
    ['spreads an answer', `Object.values({ ...answer }).join()`],
    ['prints an answer as JSON', `JSON.stringify(answer)`],
  ].map(([sentence = '', text = '']): [string, string, string] => [
    sentence,
    `const { inspect, format } = await import('node:util'); const answer = await knex.raw('SELECT id FROM notes');
       ${IF(`${text}.includes('id: 1') || (${text}.includes('id') && answer.rowCount > 0)`)}`,
    READS,
  ]),
  ['updates', IF(`(await knex('notes').update({ id: knex.raw('id + 10') })) > 0`), READS],
  ['updates and does not look', `await knex('notes').update('id', knex.raw('id + 10'));`, READS],
  ['deletes', IF(`(await knex('notes').del()) > 0`), READS],
  ['deletes where', IF(`(await knex('notes').whereNull('id').orWhereNotNull('id').delete()) > 0`), READS],
  [
    'truncates what it has read about',
    IF(`(await knex('tags')).length > 0`) + ` await knex('tags').truncate();`,
    READS,
  ],
  [
    'inserts and returns',
    IF(`(await knex('tags').insert(knex.raw('SELECT id FROM notes')).returning('id')).length > 0`),
    READS,
  ],
  ['inserts values', `await knex('notes').insert({ id: 100 });`, 'it binds values'],
  ['inserts many rows', `await knex('notes').insert([{ id: 100 }, { id: 101 }]);`, 'it binds values'],
  [
    'inserts by batches',
    `await knex.batchInsert('notes', [{ id: 100 }, { id: 101 }], 1);`,
    'it uses knex.batchInsert',
  ],
  ['upserts', `await knex('notes').insert({ id: 1 }).onConflict('id').ignore();`, 'it binds values'],
  [
    'binds values to raw SQL',
    `await knex.raw('INSERT INTO notes (id) VALUES (?)', [100]);`,
    'it binds values',
  ],
  [
    'binds values by name',
    `await knex.raw('INSERT INTO notes (id) VALUES (:id)', { id: 100 });`,
    'it binds values',
  ],
  [
    'binds values to the schema builder',
    `await knex.schema.raw('INSERT INTO notes (id) VALUES (?)', [100]);`,
    'it binds values',
  ],
  ['deletes where a value is bound', `await knex('notes').where('id', 1).del();`, 'it binds values'],

  ['reads the rows of raw SQL', IF(`(await knex.raw('SELECT * FROM notes')).rows.length > 0`), READS],
  [
    'takes the rows apart',
    `const { rows } = await knex.raw('SELECT * FROM notes'); ${IF('rows.length > 0')}`,
    READS,
  ],
  [
    'takes the first row apart',
    `const { rows: [row] } = await knex.raw('SELECT * FROM notes'); ${IF('row')}`,
    READS,
  ],
  ['reads rowCount', IF(`(await knex.raw('SELECT * FROM notes')).rowCount > 0`), READS],
  [
    'reads rowCount of an update',
    IF(`(await knex.raw('UPDATE notes SET id = id + 10')).rowCount > 0`),
    READS,
  ],
  [
    'reads rows by then',
    IF(`await knex.raw('SELECT * FROM notes').then((result) => result.rows.length > 0)`),
    READS,
  ],
  [
    'reads rows by then, and is not awaited in between',
    `const seen = knex.raw('SELECT * FROM notes').then((r) => r.rows.length); await knex.raw('SELECT 1'); ${IF('(await seen) > 0')}`,
    READS,
  ],
  [
    'reads rows by a callback',
    `const seen = await new Promise((resolve, reject) => { knex.raw('SELECT * FROM notes').asCallback((error, r) => error ? reject(error) : resolve(r.rows.length)); }); ${IF('seen > 0')}`,
    'it uses .asCallback',
  ],
  ['reads fields', IF(`(await knex.raw('SELECT * FROM notes')).fields.length > 1`), READS],
  [
    'reads a bracketed property',
    `const key = ['row', 's'].join(''); ${IF(`(await knex.raw('SELECT * FROM notes'))[key].length > 0`)}`,
    READS,
  ],
  [
    'spreads a result',
    `const seen = { ...(await knex.raw('SELECT * FROM notes')) }; ${IF('seen.rows.length > 0')}`,
    READS,
  ],
  [
    'assigns a result',
    `const seen = Object.assign({}, await knex.raw('SELECT * FROM notes')); ${IF('seen.rows.length > 0')}`,
    READS,
  ],
  [
    'goes through the entries of a result',
    `const seen = new Map(Object.entries(await knex.raw('SELECT * FROM notes'))); ${IF(`seen.get('rows').length > 0`)}`,
    READS,
  ],
  [
    'goes through the keys of a result',
    `const result = await knex.raw('SELECT * FROM notes'); let n = 0; for (const key in result) n += result[key]?.length ?? 0; ${IF('n > 10')}`,
    READS,
  ],
  [
    'turns a result into JSON',
    IF(`JSON.stringify(await knex.raw('SELECT id FROM notes')).includes('"id":1')`),
    READS,
  ],
  [
    'asks whether a result has a property',
    `const result = await knex.raw('SELECT id FROM notes'); ${IF(`'rows' in result && Object.hasOwn(result, 'rows') && Reflect.get(result, 'rows').length > 0`)}`,
    READS,
  ],
  [
    'looks at a property descriptor',
    `const result = await knex.raw('SELECT id FROM notes'); ${IF(`Object.getOwnPropertyDescriptor(result, 'rows').value.length > 0`)}`,
    READS,
  ],
  [
    'reads the results of several statements',
    IF(`(await knex.raw('SELECT 1; SELECT * FROM notes'))[1].rows.length > 0`),
    READS,
  ],
  [
    'takes the results of several statements apart',
    `const [, second] = await knex.raw('SELECT 1; SELECT * FROM notes'); ${IF('second.rows.length > 0')}`,
    READS,
  ],
  [
    'maps the results of several statements',
    IF(`(await knex.raw('SELECT 1; SELECT * FROM notes')).map((each) => each.rowCount)[1] > 0`),
    READS,
  ],
  [
    'reads the result of the schema builder',
    IF(`JSON.stringify(await knex.schema.raw('SELECT * FROM notes')).includes('"id":1')`),
    READS,
  ],
  [
    'reads the result of several of the schema builder',
    IF(`JSON.stringify(await knex.schema.raw('SELECT 1').raw('SELECT * FROM notes')).includes('"id":1')`),
    READS,
  ],
  [
    'reads one of several that it sent at once',
    `const [, second] = await Promise.all([knex.raw('SELECT 1'), knex.raw('SELECT * FROM notes')]); ${IF('second.rows.length > 0')}`,
    READS,
  ],
  [
    'reads the result of an insert',
    IF(`(await knex('tags').insert(knex.raw('SELECT id FROM notes'))).rowCount > 0`),
    READS,
  ],
  [
    'reads the command that a statement was',
    IF(`(await knex.raw('CREATE TABLE IF NOT EXISTS extra AS SELECT 1 AS id')).command === 'SELECT'`),
    READS,
  ],

  [
    'asks whose it is',
    `await knex.schema.createTable('of_' + knex.userParams.schema.length, () => {});`,
    'it uses knex.userParams',
  ],
  [
    'asks whose it is, and takes that apart',
    `const { userParams: { clerkOrgId } } = knex; await knex.raw('COMMENT ON TABLE notes IS ' + "'" + clerkOrgId.length + "'");`,
    'it uses knex.userParams',
  ],
  ['asks whether it is to know whose it is', IF(`'userParams' in knex`), 'it uses knex.userParams'],
  ['copies its Knex', `const copy = { ...knex }; ${IF('copy')}`, 'it looks through its Knex'],
  [
    'uses the context of its Knex',
    IF(`(await knex.context.raw('SELECT * FROM notes')).rows.length > 0`),
    'it uses knex.context',
  ],
  ['uses the client of its Knex', IF(`knex.client.dialect === 'postgresql'`), 'it uses knex.client'],
  [
    'sends raw SQL by its client',
    IF(`(await knex.client.raw('SELECT * FROM notes')).rows.length > 0`),
    'it uses knex.client',
  ],
  [
    'sends with a runner of its client',
    IF(`(await knex.client.runner(knex.client.raw('SELECT * FROM notes')).run()).rows.length > 0`),
    'it uses knex.client',
  ],
  [
    'uses the client of a builder',
    IF(`(await knex('notes').client.raw('SELECT * FROM notes')).rows.length > 0`),
    'it uses .client',
  ],
  [
    'uses the client of raw SQL',
    IF(`(await knex.raw('SELECT 1').client.raw('SELECT * FROM notes')).rows.length > 0`),
    'it uses .client',
  ],
  [
    'uses the client of a schema builder',
    IF(`(await knex.schema.client.raw('SELECT * FROM notes')).rows.length > 0`),
    'it uses .client',
  ],
  [
    'listens to its Knex',
    `let n = 0; knex.on('query-response', (response) => { n += response.rows?.length ?? 0; }); await knex.raw('SELECT * FROM notes'); ${IF('n > 0')}`,
    'it uses knex.on',
  ],
  [
    'listens to the statements of its Knex',
    `let n = 0; knex.on('query', () => { n += 1; }); await knex.raw('SELECT 1'); ${IF('n > 0')}`,
    'it uses knex.on',
  ],
  [
    'listens to a builder',
    `let n = 0; await knex('tags').insert(knex('notes').select('id')).on('query-response', (response) => { n += response.rowCount; }); ${IF('n > 0')}`,
    'it uses .on',
  ],
  [
    'listens to raw SQL',
    `let n = 0; await knex.raw('SELECT * FROM notes').once('query-response', (response) => { n += response.rowCount; }); ${IF('n > 0')}`,
    'it uses .once',
  ],
  [
    'listens to the schema builder',
    `let n = 0; await knex.schema.raw('SELECT * FROM notes').on('query-response', (response) => { n += response.rowCount; }); ${IF('n > 0')}`,
    'it uses .on',
  ],
  [
    'hands its statement to a transaction',
    `const inner = await knex.transaction(); await knex.raw('CREATE TABLE a ()').transacting(inner); await inner.commit();`,
    'it uses knex.transaction',
  ],
  [
    'has a nested transaction',
    `await knex.transaction(async (inner) => { await inner.raw('CREATE TABLE a ()'); });`,
    'it uses knex.transaction',
  ],
  [
    'has a nested transaction that may fail',
    `await knex.transaction((inner) => inner.raw('INSERT INTO notes (id) VALUES (1)')).catch(() => {}); await knex.raw('CREATE TABLE a ()');`,
    'it uses knex.transaction',
  ],
  [
    'has a savepoint',
    `await knex.savepoint((inner) => inner.raw('CREATE TABLE a ()'));`,
    'it uses knex.savepoint',
  ],
  [
    'has a transaction provider',
    `const provide = knex.transactionProvider(); const inner = await provide(); await inner.raw('CREATE TABLE a ()'); await inner.commit();`,
    'it uses knex.transactionProvider',
  ],
  [
    'makes a savepoint by hand',
    `await knex.raw('SAVEPOINT a'); await knex.raw('CREATE TABLE a ()'); await knex.raw('RELEASE a');`,
    'it has a transaction within its own',
  ],
  [
    'makes a savepoint by hand, with a word before',
    `await knex.raw('/* now */ SAVEPOINT a'); await knex.raw('CREATE TABLE a ()'); await knex.raw('-- done\\nRELEASE a');`,
    'it has a transaction within its own',
  ],
  [
    'asks what Knex has migrated',
    IF(`(await knex.migrate.currentVersion().catch(() => 'none')) === 'none'`),
    'it uses knex.migrate',
  ],
  [
    'clones its Knex with other parameters',
    `try { knex.withUserParams({ a: 1 }); } catch { ${IF('true')} }`,
    'it uses knex.withUserParams',
  ],
  [
    'binds a value within an insert',
    `await knex('notes').insert({ id: knex.raw('?::int', [100]) });`,
    'it binds values',
  ],

  [
    'sets a time limit for a statement',
    `await knex.raw('CREATE TABLE a ()').timeout(60_000);`,
    'it uses .timeout',
  ],
  [
    'sets a time limit for a builder',
    `await knex('tags').insert(knex.raw('SELECT id FROM notes')).timeout(60_000);`,
    'it uses .timeout',
  ],
  [
    'gives the driver options',
    `await knex.raw('CREATE TABLE a ()').options({ query_timeout: 60_000 });`,
    'it uses .options',
  ],
  [
    'listens to the clone of a builder',
    `let n = 0; await knex('tags').insert(knex.raw('SELECT id FROM notes')).clone().on('query-response', (r) => { n += r.rowCount; }); ${IF('n > 0')}`,
    READS,
  ],
  [
    'uses the client of the clone of a builder',
    `const { client } = knex('notes').clone(); ${IF(`(await client.raw('SELECT * FROM notes')).rows.length > 0`)}`,
    READS,
  ],
  [
    'uses the client of its functions',
    IF(`(await knex.fn.client.raw('SELECT * FROM notes')).rows.length > 0`),
    READS,
  ],
  [
    'asks in the callback of the schema builder',
    `const seen = []; await knex.schema.alterTable('tags', (table) => { table.integer('x'); seen.push(table.client.raw('SELECT * FROM notes').then((r) => r.rows.length)); }); ${IF('(await seen[0]) > 0')}`,
    READS,
  ],
  [
    'asks through the statement that it was handed',
    `let seen; await knex('tags').insert(knex.raw('SELECT id FROM notes')).modify((builder) => { seen = builder.client.raw('SELECT * FROM notes').then((r) => r.rows.length); }); ${IF('(await seen) > 0')}`,
    READS,
  ],

  [
    'says the time of day',
    `await knex.raw("COMMENT ON TABLE notes IS '" + process.hrtime.bigint() + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it sent different statements to two tenants',
  ],
  [
    'throws dice',
    `await knex.raw("COMMENT ON TABLE notes IS '" + Math.random() + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it sent different statements to two tenants',
  ],
  [
    'counts its calls',
    `const n = (globalThis.calls = (globalThis.calls ?? 0) + 1); await knex.raw("COMMENT ON TABLE notes IS '" + n + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it sent different statements to two tenants',
  ],
  [
    'sends one statement more the second time',
    `globalThis.more = [...(globalThis.more ?? []), 1]; for (const _ of globalThis.more) await knex.raw('CREATE TABLE IF NOT EXISTS a ()');`,
    'it sent different statements to two tenants',
  ],

  [
    'changes how strings are read',
    `await knex.raw('SET LOCAL standard_conforming_strings = off'); await knex.raw("COMMENT ON TABLE notes IS 'a\\\\\\\\b'");`,
    'it changes how SQL is read',
  ],
  [
    'changes how strings are read, by a function',
    `await knex.raw("SELECT set_config('standard_conforming_strings', 'off', true)"); await knex.raw("COMMENT ON TABLE notes IS 'a\\\\\\\\b'");`,
    'it changes how SQL is read',
  ],
  [
    'changes what its bytes mean',
    `await knex.raw("SET client_encoding TO 'LATIN1'"); await knex.raw("COMMENT ON TABLE notes IS 'é'");`,
    'it changes how SQL is read',
  ],
  [
    'changes what its bytes mean, in other words',
    `await knex.raw("SET NAMES 'LATIN1'"); await knex.raw("COMMENT ON TABLE notes IS 'é'");`,
    'it changes how SQL is read',
  ],
])(
  'a migration that %s is run for every tenant separately, and each is as Knex would leave it',
  async (_, up, reason) => {
    const { twins, file } = await twinsWith(knexMigration(up));
    const { compiled, interactive, notes } = await twins.migrate();
    expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
    expect(interactive.totals).toMatchObject({ changed: 5, failed: 0 });
    await twins.expectSame();
    expect(await twins.ways()).toEqual(ALL_INTERACTIVE);
    expect(notes).toEqual([`${file} is run for every tenant separately: ${reason}.`]);
  },
);

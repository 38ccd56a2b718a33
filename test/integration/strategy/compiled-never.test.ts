import { expect, test } from 'vitest';
import { ALL_INTERACTIVE, useFiveTenants } from '../../support/five-tenants.ts';
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

const LOOKS = 'it looks through what a statement returned';

test.each<[sentence: string, up: string, reason: string]>([
  [
    'asks for the columns',
    IF(`(await knex('notes').columnInfo()).body`),
    'two tenants answered it differently',
  ],
  [
    'asks for one column',
    IF(`(await knex('notes').columnInfo('body')).type`),
    'two tenants answered it differently',
  ],
  [
    'asks the server whose it is',
    IF(`(await knex.raw('SELECT current_schema() AS own')).rows[0].own.length > 90`),
    'two tenants answered it differently',
  ],
  [
    'asks for the name that Knex gives a statement',
    `await knex.raw("COMMENT ON TABLE notes IS '" + JSON.stringify(knex('notes').toSQL()).length + "'");`,
    'it uses __knexQueryUid',
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
    'it uses import() in line 2',
  ]),
  [
    'copies rows',
    IF(`structuredClone(await knex('notes').select()).length > 0`),
    'it uses structuredClone in line 2',
  ],
  [
    'inserts by batches',
    `await knex.batchInsert('notes', [{ id: 100 }, { id: 101 }], 1);`,
    'it uses knex.batchInsert',
  ],
  [
    'reads rows by a callback',
    `const seen = await new Promise((resolve, reject) => { knex.raw('SELECT * FROM notes').asCallback((error, r) => error ? reject(error) : resolve(r.rows.length)); }); ${IF('seen > 0')}`,
    'it uses .asCallback',
  ],
  ['reads fields', IF(`(await knex.raw('SELECT * FROM notes')).fields.length > 1`), LOOKS],
  [
    'spreads a result',
    `const seen = { ...(await knex.raw('SELECT * FROM notes')) }; ${IF('seen.rows.length > 0')}`,
    LOOKS,
  ],
  [
    'assigns a result',
    `const seen = Object.assign({}, await knex.raw('SELECT * FROM notes')); ${IF('seen.rows.length > 0')}`,
    LOOKS,
  ],
  [
    'goes through the entries of a result',
    `const seen = new Map(Object.entries(await knex.raw('SELECT * FROM notes'))); ${IF(`seen.get('rows').length > 0`)}`,
    LOOKS,
  ],
  [
    'goes through the keys of a result',
    `const result = await knex.raw('SELECT * FROM notes'); let n = 0; for (const key in result) n += result[key]?.length ?? 0; ${IF('n > 10')}`,
    LOOKS,
  ],
  [
    'turns a result into JSON',
    IF(`JSON.stringify(await knex.raw('SELECT id FROM notes')).includes('"id":1')`),
    LOOKS,
  ],
  [
    'asks whether a result has a property',
    `const result = await knex.raw('SELECT id FROM notes'); ${IF(`'rows' in result && Object.hasOwn(result, 'rows') && Reflect.get(result, 'rows').length > 0`)}`,
    'it uses Reflect.get in line 2',
  ],
  [
    'looks at a property descriptor',
    `const result = await knex.raw('SELECT id FROM notes'); ${IF(`Object.getOwnPropertyDescriptor(result, 'rows').value.length > 0`)}`,
    'it uses Object.getOwnPropertyDescriptor in line 2',
  ],
  [
    'reads the result of the schema builder',
    IF(`JSON.stringify(await knex.schema.raw('SELECT * FROM notes')).includes('"id":1')`),
    LOOKS,
  ],
  [
    'reads the result of several of the schema builder',
    IF(`JSON.stringify(await knex.schema.raw('SELECT 1').raw('SELECT * FROM notes')).includes('"id":1')`),
    LOOKS,
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
  [
    'asks a function of Knex whose it is',
    IF(`knex.fn.client.config.searchPath[0].length > 90`),
    'it uses knex.client',
  ],
  [
    'asks a table that it creates whose it is',
    `const whose = await new Promise((done, failed) => { knex.schema.createTable('of', (table) => done(table.client.config.migrations.schemaName)).catch(failed); }); ${IF('whose.length > 90')}`,
    'it uses knex.client',
  ],
  [
    'asks the builder of a condition whose it is',
    `const whose = await new Promise((done, failed) => { knex('notes').where((builder) => done(JSON.stringify(builder.client.config))).catch(failed); }); ${IF('whose.length > 9000')}`,
    'it uses knex.client',
  ],
  [
    'stores what runs',
    `await knex.raw('CREATE TABLE runs AS SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()');`,
    'something stores how statements are sent',
  ],
  [
    'stores what is prepared',
    `await knex.raw('CREATE TABLE prepared AS SELECT count(*) FROM pg_prepared_statements');`,
    'something stores how statements are sent',
  ],
  ['uses the client of its Knex', IF(`knex.client.version === undefined`), 'it uses knex.client'],
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
    ASKED(`knex.on('query-response', ({ rows }) => done(rows.length)); knex.raw('SELECT * FROM notes')`),
    'it uses knex.on',
  ],
  [
    'listens to the statements of its Knex',
    ASKED(`knex.on('query', () => done(1)); knex.raw('SELECT 1')`),
    'it uses knex.on',
  ],
  [
    'listens to a builder',
    ASKED(
      `knex('tags').insert(knex('notes').select('id')).on('query-response', ({ rowCount }) => done(rowCount))`,
    ),
    'it uses .on',
  ],
  [
    'listens to raw SQL',
    ASKED(`knex.raw('SELECT * FROM notes').once('query-response', ({ rowCount }) => done(rowCount))`),
    'it uses .once',
  ],
  [
    'listens to the schema builder',
    ASKED(`knex.schema.raw('SELECT * FROM notes').on('query-response', ({ rowCount }) => done(rowCount))`),
    'it uses .on',
  ],
  [
    'has a transaction provider',
    `const provide = knex.transactionProvider(); const inner = await provide(); await inner.raw('CREATE TABLE a ()'); await inner.commit();`,
    'it uses knex.transactionProvider',
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
    'says the time of day',
    `await knex.raw("COMMENT ON TABLE notes IS '" + process.hrtime.bigint() + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it uses process.hrtime.bigint in line 2',
  ],
  [
    'throws dice',
    `await knex.raw("COMMENT ON TABLE notes IS '" + Math.random() + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it uses Math.random in line 2',
  ],
  [
    'counts its calls',
    `const n = (globalThis.calls = (globalThis.calls ?? 0) + 1); await knex.raw("COMMENT ON TABLE notes IS '" + n + "'"); await knex.raw('COMMENT ON TABLE notes IS NULL');`,
    'it uses globalThis.calls in line 2',
  ],
  [
    'sends one statement more the second time',
    `globalThis.more = [...(globalThis.more ?? []), 1]; for (const _ of globalThis.more) await knex.raw('CREATE TABLE IF NOT EXISTS a ()');`,
    'it uses globalThis.more in line 2',
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
    const { compiled, interactive, notes } = await twins.migrate({ concurrency: 1 });
    expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
    expect(interactive.totals).toMatchObject({ changed: 5, failed: 0 });
    await twins.expectSame();
    expect(await twins.ways()).toEqual(ALL_INTERACTIVE);
    expect(notes).toEqual([`${file} is run for every tenant separately: ${reason}.`]);
  },
);

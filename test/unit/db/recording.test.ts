import createKnex, { type Knex } from 'knex';
import { expect, test } from 'vitest';
import { createRecording, unread, watched, type Recording } from '../../../src/db/knex/recording.ts';

test('statements are kept in their order, word for word', () => {
  const recording = createRecording();
  for (const text of ['CREATE TABLE a ()', ' SELECT 1; -- x', '']) recording.sent({ text, values: [] });
  expect(recording.texts).toEqual(['CREATE TABLE a ()', ' SELECT 1; -- x', '']);
  expect(recording.dependence).toBeUndefined();
});

test('the first reason is the one that is told', () => {
  const recording = createRecording();
  recording.sent({ text: 'SELECT $1', values: [1] });
  recording.depends('it does something else, too');
  recording.sent({ text: 'SAVEPOINT a', values: [] });
  expect(recording.dependence).toBe('it binds values');
  expect(recording.texts).toEqual(['SELECT $1', 'SAVEPOINT a']);
});

test.each([
  'savepoint trx2;',
  ' \n SAVEPOINT a',
  '-- here\nSAVEPOINT a',
  '/* here */ SavePoint a',
  ';SAVEPOINT a',
  'CREATE TABLE a (); SAVEPOINT a',
  'release trx2;',
  'RELEASE a',
  'rollback to trx2',
  'ROLLBACK TO SAVEPOINT a',
])('a transaction within the transaction holds for one tenant: %j', (text) => {
  const recording = createRecording();
  recording.sent({ text: 'SAVEPOINT before_it', values: [] });
  const alone = createRecording();
  alone.sent({ text, values: [] });
  expect(alone.dependence).toBe(recording.dependence);
  expect(alone.dependence).toBe('it has a transaction within its own');
});

test.each([
  'SET standard_conforming_strings = off',
  "SELECT set_config('Standard_Conforming_Strings', 'off', true)",
  'SET LOCAL backslash_quote TO on',
  "SET client_encoding = 'LATIN1'",
  "SET NAMES 'LATIN1'",
  "set  local\n names 'LATIN1'",
  "SET SESSION NAMES 'LATIN1'",
])('what changes how SQL is read must not stand in one string with it: %j', (text) => {
  const recording = createRecording();
  recording.sent({ text, values: [] });
  expect(recording.dependence).toBe('it changes how SQL is read');
});

test.each([
  'CREATE TABLE released (names text)',
  'CREATE FUNCTION rollback_it() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  'SET search_path TO public',
  "SET datestyle = 'German'",
])('what only looks like that does not: %j', (text) => {
  const recording = createRecording();
  recording.sent({ text, values: [] });
  expect(recording.dependence).toBeUndefined();
});

/** What looking at a result like this makes of a recording. */
function lookingAt(
  look: (result: Record<string, unknown>) => unknown,
  result: object = { command: 'INSERT', rows: [{ a: 1 }], rowCount: 1 },
) {
  const recording = createRecording();
  const seen = look(unread(result, recording, true) as Record<string, unknown>);
  return { seen, dependence: recording.dependence };
}

test.each<[string, (result: Record<string, unknown>) => unknown]>([
  ['rows', (result) => result.rows],
  ['rowCount', (result) => result.rowCount],
  ['what is not there', (result) => result.nothing],
  ['destructuring', ({ rows }) => rows],
  ['the rest of it', ({ ...rest }) => rest],
  ['spread', (result) => ({ ...result })],
  ['JSON', (result) => JSON.stringify(result)],
  ['its keys', (result) => Object.keys(result)],
  ['in', (result) => 'rows' in result],
  ['hasOwn', (result) => Object.hasOwn(result, 'rows')],
  ['a descriptor', (result) => Object.getOwnPropertyDescriptor(result, 'rows')],
  ['an object made of it', (result) => (Object.create(result) as { rows: unknown }).rows],
])('a result that is looked at is the answer, and noted: %s', (_, look) => {
  const plain = { command: 'INSERT', rows: [{ a: 1 }], rowCount: 1 };
  const { seen, dependence } = lookingAt(look, plain);
  expect(dependence).toBe('it reads what a statement returned');
  expect(seen).toEqual(look(plain));
});

test.each<[string, (results: unknown[]) => unknown]>([
  ['an index', (results) => results[1]],
  ['destructuring', ([, second]) => second],
  ['the length', (results) => results.length],
  ['map', (results) => results.map(() => 1)],
  [
    'a loop',
    (results) => {
      const seen = [];
      for (const each of results) seen.push(each);
      return seen;
    },
  ],
])('of several results, too: %s', (_, look) => {
  const { seen, dependence } = lookingAt((results) => look(results as never), [{ rows: [] }, { rows: [1] }]);
  expect(dependence).toBe('it reads what a statement returned');
  expect(seen).toEqual(look([{ rows: [] }, { rows: [1] }]));
});

test('to await a result is not to look at it, nor is to hand it on', async () => {
  const recording = createRecording();
  const result = unread({ rows: [] }, recording, true);
  const [handed] = await Promise.all([Promise.resolve(result), Promise.resolve()]);
  await (async () => handed)();
  expect(recording.dependence).toBeUndefined();
});

test.each([undefined, null, 1, 'x', true])('what is no object is handed on as it is: %j', (value) => {
  const recording = createRecording();
  expect(unread(value, recording, true)).toBe(value);
});

test('the command of what Knex built is known from its text, but not that of raw SQL: CREATE TABLE … AS tells by it whether there was such a table', () => {
  const looked = (isRaw: boolean) => {
    const recording = createRecording();
    const result = unread({ command: 'CREATE' }, recording, isRaw) as { command: string };
    expect(result.command).toBe('CREATE');
    return recording.dependence;
  };
  expect(looked(false)).toBeUndefined();
  expect(looked(true)).toBe('it reads what a statement returned');
});

/** A Knex that is never connected, watched. */
function watching(): { knex: Knex; recording: Recording } {
  const recording = createRecording();
  return { knex: watched(createKnex({ client: 'pg' }), recording), recording };
}

/** Knex's own way to show a statement. */
const shown = (builder: { toString(): string }) => builder.toString();

test.each<[string, (knex: Knex) => { toString(): string }, string]>([
  [
    'a table',
    (knex) =>
      knex.schema.createTable('a', (table) => {
        table.increments();
        table.timestamp('b').defaultTo(knex.fn.now());
        table.uuid('c').defaultTo(knex.raw('x()'));
      }),
    'create table "a" ("id" serial primary key, "b" timestamptz default CURRENT_TIMESTAMP, "c" uuid default x())',
  ],
  [
    'a chain',
    (knex) => knex.schema.dropTable('a').raw('SELECT 1').renameTable('b', 'c'),
    'drop table "a";\nSELECT 1;\nalter table "b" rename to "c"',
  ],
  ['another schema', (knex) => knex.schema.withSchema('s').dropTable('a'), 'drop table "s"."a"'],
  [
    'an insert',
    (knex) =>
      knex('a')
        .insert({ b: knex.raw('now()') })
        .onConflict('b')
        .ignore(),
    'insert into "a" ("b") values (now()) on conflict ("b") do nothing',
  ],
  [
    'an insert of what was selected',
    (knex) => knex.into('a').insert(knex.raw('SELECT 1')),
    'insert into "a" SELECT 1',
  ],
  ['names', (knex) => knex.raw('?? ??', ['a.b', knex.ref('c').withSchema('d')]), '"a"."b" "d"."c"'],
  [
    'a view',
    (knex) =>
      knex.schema.createView('v', (view) => {
        view.as(knex('a').whereNull('b'));
      }),
    'create view "v" as select * from "a" where "b" is null',
  ],
])('what makes statements makes the same ones, and is not noted: %s', (_, build, text) => {
  const { knex, recording } = watching();
  expect(shown(build(knex))).toBe(text);
  expect(recording.dependence).toBeUndefined();
  expect(shown(build(createKnex({ client: 'pg' })))).toBe(text);
});

test.each<[string, (knex: Knex) => unknown]>([
  ['knex.userParams', (knex) => knex.userParams],
  ['knex.client', (knex) => knex.client as unknown],
  ['knex.context', (knex) => (knex as unknown as { context: unknown }).context],
  ['knex.on', (knex) => knex.on('query', () => {})],
  ['knex.migrate', (knex) => knex.migrate],
  ['knex.seed', (knex) => knex.seed],
  ['knex.select', (knex) => knex.select('a')],
  ['knex.transaction', (knex) => typeof knex.transaction],
  ['knex.batchInsert', (knex) => typeof knex.batchInsert],
  ['.client', (knex) => (knex('a') as unknown as { client: unknown }).client],
  ['.client', (knex) => (knex.raw('a') as unknown as { client: unknown }).client],
  ['.client', (knex) => (knex.schema as unknown as { client: unknown }).client],
  [
    '.on',
    (knex) =>
      knex('a')
        .whereNull('b')
        .on('query-response', () => {}),
  ],
  ['.stream', (knex) => typeof knex('a').stream],
  ['.pipe', (knex) => (knex.raw('a') as unknown as { pipe: unknown }).pipe],
  ['.timeout', (knex) => knex('a').timeout(1)],
  ['.timeout', (knex) => knex.raw('a').timeout(1)],
  ['.options', (knex) => knex.raw('a').options({})],
  ['.transacting', (knex) => typeof knex.raw('a').transacting],
  ['.asCallback', (knex) => typeof knex.raw('a').asCallback],
  ['.hasTable', (knex) => typeof knex.schema.hasTable],
  ['.hasColumn', (knex) => typeof knex.schema.dropTable('x').hasColumn],
  ['.columnInfo', (knex) => typeof knex('a').columnInfo],
])('what may lead to what differs from tenant to tenant is noted: %s', (name, use) => {
  const { knex, recording } = watching();
  use(knex);
  expect(recording.dependence).toBe(`it uses ${name}`);
});

test.each<[string, (knex: Knex) => unknown]>([
  ['spread', (knex) => ({ ...knex })],
  ['keys', (knex) => Object.keys(knex)],
  ['assign', (knex) => Object.assign({}, knex)],
  ['in', (knex) => 'userParams' in knex],
  ['Reflect', (knex) => Reflect.get(knex, 'userParams') as unknown],
  ['what inherits from it', (knex) => (Object.create(knex) as Knex).userParams],
])('who looks through its Knex is noted: %s', (_, look) => {
  const { knex, recording } = watching();
  look(knex);
  expect(recording.dependence).toBeDefined();
});

import createKnex, { type Knex } from 'knex';
import { expect, test } from 'vitest';
import { createRecording, type Recording } from '../../../src/db/knex/recording.ts';
import { unread } from '../../../src/db/knex/unread.ts';
import { watched } from '../../../src/db/knex/watched.ts';

/** The texts of what was sent. */
function recorded(...statements: readonly { text: string; values?: readonly unknown[] }[]) {
  const recording = createRecording();
  for (const { text, values = [] } of statements) recording.sent({ text, values });
  return { texts: recording.pieces.map(({ text }) => text), dependence: recording.dependence };
}

test('statements are kept in their order, word for word', () => {
  const texts = ['CREATE TABLE a ()', ' SELECT 1; -- x', ''];
  expect(recorded(...texts.map((text) => ({ text })))).toEqual({ texts, dependence: undefined });
});

test('the first reason is the one that is told', () => {
  const recording = createRecording();
  recording.depends('it does something');
  recording.depends('it does something else, too');
  expect(recording.dependence).toBe('it does something');
});

test('a statement with bound values is prepared, and its values are those that the driver would send', () => {
  const values = [1, -1.5, true, null, undefined, "it's", 'a\\b', ['x', null, 2], { a: "'" }, 10n];
  expect(recorded({ text: 'SELECT $1', values })).toEqual({
    texts: [
      'PREPARE tenantctl_bound AS SELECT $1',
      `EXECUTE tenantctl_bound ('1', '-1.5', 'true', NULL, NULL, 'it''s',  E'a\\\\b', '{"x",NULL,"2"}', '{"a":"''"}', '10')`,
      'DEALLOCATE tenantctl_bound',
    ],
    dependence: undefined,
  });
});

test.each<[string, unknown, string]>([
  ['SELECT $1', Buffer.from('a'), 'it binds bytes'],
  ['SELECT $1', new Uint8Array(2), 'it binds bytes'],
  ['CREATE TABLE a AS SELECT $1', 1, 'it binds values to a statement that cannot be prepared'],
  ['CALL a($1)', 1, 'it binds values to a statement that cannot be prepared'],
])('bound values for which that could mean something else: %s, %j', (text, value, reason) => {
  expect(recorded({ text, values: [value] }).dependence).toBe(reason);
});

test('the savepoints of Knex are numbered anew', () => {
  const texts = [
    'SAVEPOINT trx7;',
    'SAVEPOINT trx9;',
    'RELEASE SAVEPOINT trx9;',
    'ROLLBACK TO SAVEPOINT trx7',
    'SAVEPOINT a',
  ];
  expect(recorded(...texts.map((text) => ({ text }))).texts).toEqual([
    'SAVEPOINT trx1',
    'SAVEPOINT trx2',
    'RELEASE SAVEPOINT trx2',
    'ROLLBACK TO SAVEPOINT trx1',
    'SAVEPOINT a',
  ]);
});

test.each([
  'SET standard_conforming_strings = off',
  "SELECT set_config('Standard_Conforming_Strings', 'off', true)",
  'SET LOCAL backslash_quote TO on',
  "SET client_encoding = 'LATIN1'",
  "SET NAMES 'LATIN1'",
  "set  local\n names 'LATIN1'",
  "SET SESSION NAMES 'LATIN1'",
  "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET standard_conforming_strings = off",
  'SET standard_conforming_strings = on AND off',
  "EXECUTE replace('SET standard_conforming_strings = on', 'on', 'off')",
])('what changes how SQL is read must not stand in one string with it: %j', (text) => {
  const recording = createRecording();
  recording.sent({ text, values: [] });
  expect(recording.dependence).toBe('it changes how SQL is read');
});

test.each([
  'CREATE TABLE released (names text)',
  'CREATE FUNCTION rollback_it() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  "SET statement_timeout = 0;\n  SET client_encoding = 'UTF8';\nset local standard_conforming_strings to on;\nSET xmloption = content",
  "SET client_encoding TO 'utf-8'",
  'SET search_path TO public',
  "SET datestyle = 'German'",
])('what only looks like that does not: %j', (text) => {
  const recording = createRecording();
  recording.sent({ text, values: [] });
  expect(recording.dependence).toBeUndefined();
});

const LOOKED = 'it looks through what a statement returned';

/** What looking at a result like this makes of a recording. */
function lookingAt(
  look: (result: never) => unknown,
  result: unknown = { command: 'INSERT', rows: [{ a: 1 }], rowCount: 1 },
  isRaw = true,
) {
  const recording = createRecording();
  let part: string | undefined;
  const read = (each: string) => void (part = part === 'rows' ? part : each);
  const seen = look(unread(result, recording, { read }, isRaw) as never);
  return { seen, noted: recording.dependence ?? part };
}

type Result = Record<string, unknown> & { rows: Record<string, unknown>[]; rowCount: number };

test.each<[string, (result: Result) => unknown, string | undefined]>([
  ['nothing', () => 1, undefined],
  ['rows that are only handed on', (result) => result.rows.constructor === Array, 'rows'],
  ['the number of rows', (result) => result.rows.length, 'counts'],
  ['rowCount', (result) => result.rowCount, 'counts'],
  ['the command', (result) => result.command, 'counts'],
  ['a row', (result) => result.rows[0], 'rows'],
  ['a loop', (result) => [...result.rows], 'rows'],
  ['the first row', ({ rows: [row] }) => row, 'rows'],
  ['a copy of the rows', ({ rows }) => JSON.stringify(rows), 'rows'],
  ['what is not there', (result) => result.nothing, LOOKED],
  ['its fields', (result) => result.fields, LOOKED],
  ['the rest of it', ({ ...rest }) => rest, LOOKED],
  ['JSON', (result) => JSON.stringify(result), LOOKED],
  ['its keys', (result) => Object.keys(result), LOOKED],
  ['in', (result) => 'rows' in result, LOOKED],
  ['hasOwn', (result) => Object.hasOwn(result, 'rows'), LOOKED],
  ['a descriptor', (result) => Object.getOwnPropertyDescriptor(result, 'rows'), LOOKED],
])('what is looked at of a result is the answer, and noted: %s', (_, look, part) => {
  const plain = { command: 'INSERT', rows: [{ a: 1 }], rowCount: 1 };
  const { seen, noted } = lookingAt(look, plain);
  expect(noted).toBe(part);
  expect(seen).toEqual(look(plain));
});

test.each<[string, (results: Result[]) => unknown, string | undefined]>([
  ['the length', (results) => results.length, undefined],
  ['map', (results) => results.map(() => 1), undefined],
  ['a row', ([, second]) => second?.rows[0], 'rows'],
  ['the number of rows', (results) => results.at(-1)?.rows.length, 'counts'],
  ['a loop', (results) => results.flatMap(({ rows }) => [...rows]), 'rows'],
])('of several results, too: %s', (_, look, part) => {
  const plain = [{ rows: [] }, { rows: [{ a: 1 }] }] as unknown as Result[];
  const { seen, noted } = lookingAt(look, plain);
  expect(noted).toBe(part);
  expect(seen).toEqual(look(plain));
});

test('to await a result is not to look at it, nor is to hand it on', async () => {
  let handed: unknown;
  const { noted } = lookingAt((result) => (handed = result), { rows: [] });
  await Promise.all([Promise.resolve(handed), (async () => handed)()]);
  expect(noted).toBeUndefined();
});

test.each([undefined, null, 1, 'x', true])('what is no object is handed on as it is: %j', (value) => {
  expect(unread(value, createRecording(), { read() {} }, true)).toBe(value);
});

test('the command of what Knex built is known from its text, but not that of raw SQL: CREATE TABLE … AS tells by it whether there was such a table', () => {
  const look = (result: Result) => result.command;
  expect(lookingAt(look, { command: 'CREATE' }, false)).toEqual({ seen: 'CREATE', noted: undefined });
  expect(lookingAt(look, { command: 'CREATE' }, true)).toEqual({ seen: 'CREATE', noted: 'counts' });
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
  ['knex.client', (knex) => (knex.client as { version?: unknown }).version],
  ['knex.client', (knex) => (knex.client as { config: { connection?: unknown } }).config.connection],
  ['knex.client', (knex) => Object.keys(knex.client as object)],
  ['knex.context', (knex) => (knex as unknown as { context: unknown }).context],
  ['knex.on', (knex) => knex.on('query', () => {})],
  ['knex.migrate', (knex) => knex.migrate],
  ['knex.seed', (knex) => knex.seed],
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
  ['.asCallback', (knex) => typeof knex.raw('a').asCallback],
])('what may lead to what differs from tenant to tenant is noted: %s', (name, use) => {
  const { knex, recording } = watching();
  use(knex);
  expect(recording.dependence).toBe(`it uses ${name}`);
});

test('which kind of database it is may be asked', () => {
  const { knex, recording } = watching();
  const { config, dialect } = knex.client as { config: { client: string }; dialect: string };
  expect([config.client, dialect]).toEqual(['pg', 'postgresql']);
  expect(recording.dependence).toBeUndefined();
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

import { expect, test } from 'vitest';
import { examineStatement } from '../../../src/app/examine-statement.ts';

const NOTHING = { settings: [], changesOthers: false };

test.each([
  'SELECT 1',
  '',
  'ROLLBACK TO s',
  'rollback transaction to savepoint s',
  'SAVEPOINT s',
  'SET LOCAL search_path = x',
  'SET CONSTRAINTS ALL DEFERRED',
  'SET TRANSACTION READ ONLY',
  `INSERT INTO notes VALUES ('SET work_mem = 1; select pg_advisory_lock(1)')`,
  `SELECT E'\\'; COMMIT', $$ set_config('a.b', 1) $$, "set_config"`,
  'SELECT pg_advisory_xact_lock(1)',
  'SELECT commit FROM ends -- set_config(',
  'UPDATE t SET role = 1',
])('%s leaves nothing', (text) => {
  expect(examineStatement(text)).toEqual(NOTHING);
});

test.each([
  ['/* /* */ */ COMMIT'],
  [' \n;(;COMMIT AND CHAIN'],
  ['--\r\nEnd'],
  ['START TRANSACTION'],
  ['ROLLBACK WORK'],
  ['ROLLBACK PREPARED $1'],
  ['COMMIT PREPARED $1'],
  ['SET LOCAL SESSION AUTHORIZATION x'],
  [`SELECT set_config('Session_Authorization', 'x', true)`],
  ['DECLARE c CURSOR\nWITH HOLD FOR SELECT 1'],
])('%s is refused', (text) => {
  expect(examineStatement(text).refusal).toEqual(expect.any(String));
});

test.each<[string, readonly unknown[], string[], boolean?]>([
  ['SET Work_Mem = 1', [], ['work_mem']],
  ['set session work_mem to 1', [], ['work_mem']],
  ['RESET "App" . tenant', [], ['app.tenant']],
  ['SET TIME ZONE LOCAL', [], ['timezone']],
  ['SET SESSION ROLE x', [], ['role']],
  ['SET NAMES x', [], ['client_encoding']],
  ['SELECT set_config($2, $1, false)', ['v', 'App.X'], ['app.x']],
  ["SELECT set_config($1::text, $2, false), set_config(E'b.c', 1)", ['a.b'], ['a.b', 'b.c']],
  [`SELECT set_config('a' || 'b', '', false)`, [], [], true],
  ['SELECT set_config(k, v, true) FROM t', [], [], true],
  [
    `DO $$ BEGIN SET app.x = 1; EXECUTE 'RESET app.y'; PERFORM set_config('app.z', '', false); END $$`,
    [],
    ['app.x', 'app.z', 'app.y'],
    true,
  ],
  ['CALL p()', [], [], true],
])('%s changes settings', (text, values, settings, changesOthers = false) => {
  expect(examineStatement(text, values)).toEqual({ settings, changesOthers });
});

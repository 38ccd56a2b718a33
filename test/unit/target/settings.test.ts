import { expect, test } from 'vitest';
import { restoreSettings } from '../../../src/core/target/settings.ts';

const isRestored = (text: string) =>
  restoreSettings([text], { deadClientSettings: {} }, { lockTimeoutMs: 1, statementTimeoutMs: 1 }).length > 0;

test.each([
  `SET work_mem = '1MB'`,
  'CREATE TABLE t (); set local row_security TO off',
  '-- a comment\nSET x.y = 1',
  '/* a comment */ RESET lock_timeout',
  'DO $$ BEGIN SET work_mem = 64; END $$',
  'DO $do$ BEGIN IF true THEN RESET ALL; ELSE SET enable_seqscan = off; END IF; END $do$',
  `DO 'BEGIN EXECUTE ''SET work_mem = 64''; END'`,
  String.raw`DO $$ BEGIN EXECUTE E'\nSET work_mem = 64'; END $$`,
  `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $f$ SET work_mem = 64 $f$`,
  `SELECT pg_catalog.set_config('search_path', '', false)`,
  `UPDATE pg_settings SET setting = '64' WHERE name = 'work_mem'`,
])('after a text that may set something, settings are restored: %s', (text) => {
  expect(isRestored(text)).toBe(true);
});

test.each([
  `update "users" set "name" = 'x' where "id" = 1`,
  'UPDATE users AS u\n  SET name = o.name FROM others o',
  'INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 2',
  'ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c ON DELETE SET NULL ON UPDATE SET DEFAULT',
  'ALTER TABLE a ALTER b SET NOT NULL, ALTER c SET DEFAULT 1',
  'alter table "a" alter column "b" set data type text',
  'SELECT * FROM t LIMIT 1 OFFSET 2',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = pg_catalog AS $$ SELECT 1 $$',
])('after a text that sets nothing of the session, nothing is restored: %s', (text) => {
  expect(isRestored(text)).toBe(false);
});

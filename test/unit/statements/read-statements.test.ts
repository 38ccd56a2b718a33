import { expect, test } from 'vitest';
import { createReadStatements } from '../../../src/core/statements/read-statements.ts';

const readStatements = createReadStatements();

test.each([
  ['SELECT * FROM a.t', ['a']],
  ['SELECT a.f(1), t.x FROM t', ['a', 't']],
  ['INSERT INTO t SELECT * FROM (SELECT 1 FROM "B c".t) q', ['B c']],
  ['WITH w AS (DELETE FROM a.t RETURNING *) SELECT * FROM w JOIN b.t USING (id)', ['a', 'b']],
  ['DROP TABLE a.t, b.t, c', ['a', 'b']],
  ['DROP SCHEMA a, b CASCADE', ['a', 'b']],
  ['DROP FUNCTION a.f(b.kind)', ['a', 'b']],
  ['ALTER TABLE t SET SCHEMA a', ['a']],
  ['ALTER TABLE t ADD FOREIGN KEY (x) REFERENCES a.u', ['a']],
  ['CREATE TABLE t (x a.kind)', ['a']],
  ['CREATE TYPE a.kind AS ENUM ()', ['a']],
  ['CREATE SCHEMA a', ['a']],
  ['REINDEX SCHEMA a', ['a']],
  ['ALTER SCHEMA a RENAME TO b', ['a']],
  ['GRANT SELECT ON ALL TABLES IN SCHEMA a TO PUBLIC', ['a']],
  ['GRANT USAGE ON SCHEMA a TO PUBLIC', ['a']],
  ['SET search_path TO a, "B c"', ['B c', 'a']],
  [`SET LOCAL search_path = 'a, b'`, ['a', 'b']],
  [`SELECT 'a.t' AS "a.t"`, []],
  ['SELECT x FROM t -- a.t', []],
])('%s names the schemas %j', async (text, schemas) => {
  expect((await readStatements(text)).schemas).toEqual(schemas);
});

test.each([
  ['CREATE INDEX CONCURRENTLY i ON t (x)', ['t']],
  ['CREATE INDEX ON a.t (x)', ['a.t']],
  ['DROP INDEX CONCURRENTLY a.i, j', ['a.i', 'j']],
  ['DROP TRIGGER g ON a.t', ['a.t']],
  ['ALTER TABLE t ADD FOREIGN KEY (x) REFERENCES a.u', ['t']],
  ['CREATE TABLE t (x int REFERENCES a.u)', ['t (new)']],
  ['CREATE VIEW v AS SELECT * FROM a.t', ['v (new)']],
  ['CREATE TABLE t (LIKE a.u)', ['t (new)']],
  ['CREATE POLICY p ON t USING (EXISTS (SELECT FROM a.u))', ['t']],
  ['ALTER TABLE t SET SCHEMA a', ['t', 'a.* (new)']],
  ['CREATE TABLE t AS SELECT * FROM a.t', ['t (new)']],
  ['CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()', ['t']],
  ['ALTER TYPE a.kind ADD VALUE $$x$$', ['a.kind']],
  ['REINDEX TABLE CONCURRENTLY t', ['t']],
  [`COMMENT ON TABLE a.t IS 'x'`, ['a.t']],
  [`COMMENT ON COLUMN a.t.x IS 'x'`, ['a.t']],
  [`COMMENT ON COLUMN t.x IS 'x'`, ['t']],
  [`COMMENT ON FUNCTION f() IS 'x'`, ['f']],
  [`COMMENT ON SCHEMA a IS 'x'`, ['a.* (new)']],
  ['DROP FUNCTION a.f(int), g', ['a.f', 'g']],
  ['ALTER FUNCTION a.f() OWNER TO o', ['a.f']],
  ['DROP TYPE a.kind', ['a.kind']],
  ['CREATE TYPE a.kind AS ENUM ()', ['a.kind (new)']],
  ['ALTER DOMAIN d DROP NOT NULL', ['d']],
  ['REINDEX SCHEMA a', ['a.* (new)']],
  ['GRANT USAGE ON SCHEMA a TO o', ['a.* (new)']],
  ['GRANT EXECUTE ON FUNCTION f() TO o', ['f']],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA a, b GRANT SELECT ON TABLES TO o', ['a.* (new)', 'b.* (new)']],
  ['VACUUM t, a.u', ['t', 'a.u']],
  ['TRUNCATE t, u', ['t', 'u']],
  ['GRANT SELECT ON t TO PUBLIC', ['t']],
  ['INSERT INTO a.t VALUES (1)', []],
  ['UPDATE t SET x = 1', []],
  ['SELECT 1', []],
])('%s is aimed at %j', async (text, aims) => {
  const { objects } = await readStatements(text);
  expect(
    objects.map(
      ({ schema, name, isNew }) =>
        `${schema === undefined ? '' : `${schema}.`}${name}${isNew ? ' (new)' : ''}`,
    ),
  ).toEqual(aims);
});

test.each([
  'ALTER TABLE t ADD x text DEFAULT now()',
  'CREATE TABLE t (id bigserial PRIMARY KEY, at timestamptz DEFAULT CURRENT_TIMESTAMP, u uuid DEFAULT gen_random_uuid())',
  'CREATE INDEX ON t (lower(x))',
  'SELECT coalesce(x, md5(y)) FROM u',
  'DROP TABLE t; DROP VIEW v',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
  'CREATE TYPE kind AS ENUM ($$a$$)',
  `COMMENT ON COLUMN t.x IS 'words'`,
  'ALTER TABLE t RENAME x TO y',
  `SET LOCAL lock_timeout = '1s'`,
  `SELECT nextval('s')`,
])('the locks of %s tell all that it reaches', async (text) => {
  expect((await readStatements(text)).obscurity).toBeUndefined();
});

test.each([
  ['INSERT INTO t VALUES (1)', 'it changes rows, and triggers may do more'],
  ['DO $$ BEGIN END $$', 'it has a DO block'],
  ['CALL p()', 'it calls a procedure'],
  ['SELECT f()', 'it calls the function f'],
  ['SELECT a.now()', 'it calls the function a.now'],
  ['SELECT pg_read_file($$x$$)', 'it calls the function pg_read_file'],
  [`SELECT set_config('search_path', 'a', false)`, 'it calls the function set_config'],
  ['ALTER TABLE t ADD x int DEFAULT f()', 'it calls the function f'],
  ['GRANT SELECT ON t TO PUBLIC', /^it has a statement .*\(Grant\)$/],
  ['DROP TYPE kind', /^it has a statement .*\(Drop\)$/],
  ['DROP FUNCTION f()', /^it has a statement .*\(Drop\)$/],
  ['ALTER TYPE kind ADD VALUE $$b$$', /^it has a statement .*\(AlterEnum\)$/],
  ['CREATE TYPE a.kind AS ENUM ()', /^it has a statement .*\(CreateEnum\)$/],
  [
    'CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    /^it has a statement .*\(CreateFunction\)$/,
  ],
  [`COPY t FROM PROGRAM 'sh'`, /^it has a statement .*\(Copy\)$/],
  ['SET search_path TO a', 'it changes a setting'],
  ['SET ROLE a', 'it changes a setting'],
  ['SELEKT 1', 'it does not parse'],
])('the locks of %s do not tell all that it reaches', async (text, reason) => {
  const { obscurity } = await readStatements(text);
  expect(obscurity).toMatch(reason);
});

test.each([
  [
    'DO $$ BEGIN IF EXISTS (SELECT FROM t WHERE x IN (1)) THEN ALTER TABLE t ADD y varchar(20) DEFAULT now(); END IF; END $$',
    false,
  ],
  ['DO $$ BEGIN EXECUTE x; END $$', true],
  ['DO $$ BEGIN GRANT SELECT (x) ON t TO PUBLIC; END $$', true],
  ['DO $$ BEGIN PERFORM f(); END $$', true],
  ['DO $$ BEGIN PERFORM "f" (); END $$', true],
  ['ALTER TABLE t ADD x int DEFAULT f()', true],
  ['GRANT SELECT ON t TO PUBLIC', true],
  ['ALTER TABLE t ADD x varchar(20)', false],
  ['SET search_path TO a', false],
])('whether %s may grant columns: %s', async (text, mayGrant) => {
  expect((await readStatements(text)).mayGrant).toBe(mayGrant);
});

import { expect, test } from 'vitest';
import { createReadStatements } from '../../../src/core/statements/read-statements.ts';

const readStatements = createReadStatements();

test.each([
  ['SELECT * FROM a.t', ['a']],
  ['SELECT a.f(1), t.x, b.t.y FROM t JOIN b.t ON true', ['a', 'b']],
  ['SELECT t.x, t.* FROM t', []],
  [`COMMENT ON COLUMN t.x IS 'x'`, []],
  [`COMMENT ON COLUMN a.t.x IS 'x'`, ['a']],
  ['DROP TRIGGER g ON t', []],
  ['DROP POLICY p ON a.t', ['a']],
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
  [`SELECT nextval('a.s')`, ['a']],
  [`CREATE TABLE t (x int DEFAULT nextval('"A-b".s'::regclass))`, ['A-b', 'pg_catalog']],
  [`SELECT 'A.f(int)'::regprocedure, to_regclass(' a.t')`, ['a']],
  [`ALTER TABLE t ALTER x SET DEFAULT nextval('a.s'::text::regclass)`, ['a']],
  [`INSERT INTO t VALUES ('a.s', 'not. this', now())`, []],
])('%s names the schemas %j in strings', async (text, schemas) => {
  expect((await readStatements(text)).schemas).toEqual(schemas);
});

test.each([
  'ALTER TABLE t ADD x text DEFAULT now()',
  'CREATE TABLE t (id bigserial PRIMARY KEY, at timestamptz DEFAULT CURRENT_TIMESTAMP, u uuid DEFAULT gen_random_uuid())',
  'CREATE TABLE t (x int DEFAULT f(), CHECK (g(x)))',
  'CREATE VIEW v AS SELECT f(x) FROM t',
  `ALTER TABLE t ADD x text[] NOT NULL DEFAULT '{}', ADD y jsonb DEFAULT '{}'::jsonb, ADD z varchar(9) UNIQUE REFERENCES u`,
  'ALTER TABLE t ADD FOREIGN KEY (x) REFERENCES u, ALTER x SET NOT NULL, ALTER y SET DEFAULT f(), DROP z',
  'CREATE UNIQUE INDEX ON t (x, y DESC)',
  'DROP TABLE t; DROP VIEW v',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
  'CREATE TYPE kind AS ENUM ($$a$$)',
  `COMMENT ON COLUMN t.x IS 'words'`,
  'ALTER TABLE t RENAME x TO y',
  `SET LOCAL lock_timeout = '1s'`,
])('the locks of %s tell all that it reaches', async (text) => {
  expect((await readStatements(text)).isObscure).toBe(false);
});

test.each([
  'ADD x int DEFAULT f()',
  'ADD x own_domain',
  'ADD x a.text',
  `ADD x text DEFAULT 'a'::own_domain`,
  'ADD x uuid DEFAULT gen_random_uuid()',
  'ADD x int GENERATED ALWAYS AS IDENTITY',
  'ADD x int CHECK (f(x))',
  'ADD CHECK (f(x))',
  'ADD EXCLUDE USING gist (x WITH &&)',
  'VALIDATE CONSTRAINT c',
  'ALTER x TYPE text',
  'ATTACH PARTITION p DEFAULT',
  'SET LOGGED',
  'OWNER TO a',
])('ALTER TABLE t %s may call functions', async (command) => {
  expect((await readStatements(`ALTER TABLE t ${command}`)).isObscure).toBe(true);
});

test.each([
  'INSERT INTO t VALUES (1)',
  'DO $$ BEGIN END $$',
  'CALL p()',
  'SELECT x FROM v',
  'CREATE TABLE u AS SELECT t.x FROM t',
  'REFRESH MATERIALIZED VIEW m',
  'CREATE INDEX ON t (lower(x))',
  'CREATE INDEX ON t (x) WHERE f(y)',
  'CREATE INDEX ON t (x own_ops)',
  'CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2)',
  'SET CONSTRAINTS ALL IMMEDIATE',
  'GRANT SELECT ON t TO PUBLIC',
  'DROP TYPE kind',
  'DROP FUNCTION f()',
  'ALTER TYPE kind ADD VALUE $$b$$',
  'CREATE TYPE a.kind AS ENUM ()',
  'CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
  `COPY t FROM PROGRAM 'sh'`,
  'SET search_path TO a',
  'SET ROLE a',
  'SELEKT 1',
])('the locks of %s do not tell all that it reaches', async (text) => {
  expect((await readStatements(text)).isObscure).toBe(true);
});

test.each([
  [
    'DO $$ BEGIN IF EXISTS (SELECT FROM t WHERE x IN (1)) THEN ALTER TABLE t ADD y varchar(20) DEFAULT now(); END IF; END $$',
    false,
  ],
  ['DO $$ BEGIN EXECUTE x; END $$', true],
  ['DO $$ BEGIN GRANT SELECT (x) ON t TO PUBLIC; END $$', true],
  ['DO $$ BEGIN PERFORM f(); END $$', false],
  ['DO $$ BEGIN PERFORM a.f(); END $$', true],
  ['DO $$ BEGIN PERFORM "a"."f" (); END $$', true],
  ['GRANT SELECT ON t TO PUBLIC', true],
  ['UPDATE t SET a = b; CREATE TRIGGER c BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()', false],
  ['UPDATE t SET a = b; CREATE TRIGGER c BEFORE UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE "f" ()', false],
  ['UPDATE t SET a = b; CREATE TRIGGER c BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION a.f()', true],
  ["DO $$ DECLARE procedure text := 'x'; BEGIN EXECUTE procedure; END $$", true],
  ["EXECUTE bound ('a')", false],
  ["EXECUTE bound ('GRANT SELECT (x) ON t TO PUBLIC')", true],
  ['PREPARE bound AS SELECT a.f($1)', true],
  ['ALTER TABLE t ADD x varchar(20)', false],
  ['SET search_path TO a', false],
])('whether %s may grant columns: %s', async (text, mayGrant) => {
  expect((await readStatements(text)).mayGrant).toBe(mayGrant);
});

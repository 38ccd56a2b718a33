import { expect, test } from 'vitest';
import { raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';

const { fleet, migrate, migration, expectNothingElseChanged } = useGuardedFleet();

const OUTSIDE = { config: 'export const config = { transaction: false };' };

/** Statements of a migration that runs outside a transaction, and what the error says of them. */
test.each([
  ['CREATE INDEX CONCURRENTLY ON countries (name)', 'changes public.countries'],
  ['CREATE INDEX CONCURRENTLY ON public.countries (name)', 'changes public.countries'],
  ['DROP INDEX CONCURRENTLY countries_pkey', 'changes public.countries_pkey'],
  ['REINDEX TABLE CONCURRENTLY countries', 'changes public.countries'],
  ['VACUUM countries', 'changes public.countries'],
  ['ALTER TABLE plans ADD x int', 'changes public.plans'],
  ['DROP TABLE plans', 'changes public.plans'],
  ['TRUNCATE users, plans', 'changes public.plans'],
  ['CREATE TABLE public.mine ()', 'changes public.mine'],
  ['SET search_path TO public; CREATE TABLE mine ()', 'changes public.mine'],
  [`ALTER TYPE mood ADD VALUE 'ill'`, 'changes public.mood'],
  ['GRANT SELECT ON countries TO PUBLIC', 'changes public.countries'],
  ['ALTER TABLE users SET SCHEMA public', 'changes public.*'],
  ['DROP FUNCTION public.one()', 'changes public.one'],
  ['ALTER FUNCTION one() STABLE', 'changes public.one'],
  [
    'CREATE FUNCTION one(int) RETURNS int LANGUAGE sql AS $$SELECT 2$$; DROP FUNCTION one()',
    'changes public.one',
  ],
  ['DROP TYPE mood', 'changes public.mood'],
  ['ALTER TYPE mood RENAME TO temper', 'changes public.mood'],
  ['ALTER DOMAIN percent DROP NOT NULL', 'changes public.percent'],
  [`COMMENT ON DOMAIN percent IS 'of hundred'`, 'changes public.percent'],
  ['ALTER TYPE mood OWNER TO CURRENT_USER', 'changes public.mood'],
  ['CREATE TYPE own AS ENUM (); ALTER TYPE own SET SCHEMA public', 'changes public.*'],
  [`COMMENT ON SCHEMA public IS 'ours'`, 'changes public.*'],
  ['REINDEX SCHEMA public', 'changes public.*'],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO PUBLIC', 'changes audit.*'],
  [
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
    'has a statement whose target cannot be determined from its text (AlterDefaultPrivileges)',
  ],
  [
    `COMMENT ON CONSTRAINT percent_check ON DOMAIN percent IS 'of hundred'`,
    'has a statement whose target cannot be determined from its text (Comment)',
  ],
  ['DROP SCHEMA audit CASCADE', 'has a statement whose target cannot be determined from its text (Drop)'],
  ['CREATE FUNCTION public.two() RETURNS int LANGUAGE sql AS $$SELECT 2$$', 'changes public.two'],
  ['GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC', 'changes public.*'],
  ['VACUUM', 'has a statement whose target cannot be determined from its text (Vacuum)'],
  ['DELETE FROM tenantctl.recordings', 'changes tenantctl.recordings'],
  [
    'WITH x AS (DELETE FROM tenantctl.recordings RETURNING 1) SELECT * FROM x',
    'changes tenantctl.recordings',
  ],
  ['SELECT 1 AS x INTO public.mine', 'changes public.mine'],
  ['SELECT 1 AS x INTO public.mine UNION SELECT 2', 'changes public.mine'],
  ['EXPLAIN ANALYZE CREATE TABLE public.mine AS SELECT 1 AS x', 'changes public.mine'],
  ['EXPLAIN (COSTS off, ANALYZE) SELECT 1 AS x INTO public.mine', 'changes public.mine'],
  ['CREATE TABLE heir () INHERITS (countries)', 'changes public.countries'],
  ['CREATE TABLE part PARTITION OF public.countries DEFAULT', 'changes public.countries'],
  ['ALTER TABLE users INHERIT countries', 'changes public.countries'],
  ['CREATE MATERIALIZED VIEW public.mine AS SELECT 1', 'changes public.mine'],
  ['CREATE STATISTICS public.mine ON id, name FROM users', 'changes public.mine'],
  ['CREATE STATISTICS mine ON code, name FROM countries', 'changes public.countries'],
  ['CREATE TYPE public.mine AS RANGE (SUBTYPE = int)', 'changes public.mine'],
  ['CREATE AGGREGATE public.mine (int) (SFUNC = int4pl, STYPE = int)', 'changes public.mine'],
  ['SET search_path TO public; CREATE FUNCTION mine() RETURNS int RETURN 1', 'changes public.mine'],
  ['CREATE RULE mine AS ON INSERT TO countries DO NOTHING', 'changes public.countries'],
  [
    `SECURITY LABEL ON TABLE countries IS 'x'`,
    'has a statement whose target cannot be determined from its text (SecLabel)',
  ],
  [
    'IMPORT FOREIGN SCHEMA x FROM SERVER y INTO public',
    'has a statement whose target cannot be determined from its text (ImportForeignSchema)',
  ],
  [
    'REASSIGN OWNED BY CURRENT_USER TO postgres',
    'has a statement whose target cannot be determined from its text (ReassignOwned)',
  ],
  [
    'CREATE PUBLICATION mine FOR ALL TABLES',
    'has a statement whose target cannot be determined from its text (CreatePublication)',
  ],
  [`COPY users TO PROGRAM 'cat'`, 'runs a program on the server'],
  [`COPY users TO '/var/backups/users'`, 'writes a file on the server'],
  [`REINDEX SCHEMA ${NEIGHBOURS}`, `names ${NEIGHBOURS}`],
  ['CREATE SCHEMA mine', 'creates a schema'],
  ['CREATE ROLE mine', 'creates a role'],
  ['CREATE DATABASE mine', 'creates a database'],
  [`ALTER SYSTEM SET work_mem = '1MB'`, 'changes settings of the server'],
  [`SELECT * FROM ${NEIGHBOURS}.secrets`, `names ${NEIGHBOURS}`],
  [`INSERT INTO users SELECT id FROM ${NEIGHBOURS}.secrets`, `names ${NEIGHBOURS}`],
  [`CREATE INDEX CONCURRENTLY ON ${NEIGHBOURS}.secrets (word)`, `names ${NEIGHBOURS}`],
  [`SET search_path TO ${NEIGHBOURS}`, `names ${NEIGHBOURS}`],
])('outside a transaction, %s is not sent', async (text, says) => {
  const texts = text.split('; ');
  const result = await migrate(raw(...texts), OUTSIDE);
  expect(result.tenants).toHaveLength(TENANTS.length);
  for (const { error } of result.tenants) {
    expect(error?.message).toContain(`${migration()} ${says}: outside `);
    expect(error).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA', statement: texts.at(-1) });
  }
  expect(await fleet().query('SELECT FROM tenantctl.intents')).toEqual([]);
  await expectNothingElseChanged();
});

test('outside a transaction, what is the tenant’s own is done, and rows of shared tables are written', async () => {
  const result = await migrate(
    raw(
      'CREATE INDEX CONCURRENTLY users_name ON users (name)',
      'REINDEX INDEX CONCURRENTLY users_name',
      'DROP INDEX CONCURRENTLY users_name',
      'CREATE TABLE own (country text REFERENCES countries)',
      'VACUUM own',
      'CREATE TEMP TABLE scratch ()',
      'UPDATE countries SET name = name',
      `CREATE TYPE size AS ENUM ('small')`,
      `ALTER TYPE size ADD VALUE 'large'`,
      'ALTER TYPE size RENAME TO sizes',
      `COMMENT ON TYPE sizes IS 'of it'`,
      'DROP TYPE sizes',
      'CREATE FUNCTION half(int) RETURNS int LANGUAGE sql AS $$SELECT $1 / 2$$',
      'ALTER FUNCTION half(int) IMMUTABLE',
      'GRANT EXECUTE ON FUNCTION half(int) TO PUBLIC',
      'DROP FUNCTION IF EXISTS half(int)',
      'DROP FUNCTION IF EXISTS half(int)',
      'SELECT 1 AS x INTO copied',
      'EXPLAIN ANALYZE SELECT * FROM countries',
      'EXPLAIN CREATE TABLE public.mine AS SELECT 1 AS x',
      'PREPARE codes AS SELECT code FROM countries',
      'CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at)',
      'CREATE TABLE part PARTITION OF parts DEFAULT',
      'CREATE TABLE likewise (LIKE countries INCLUDING ALL)',
      'CREATE STATISTICS sizes_of ON id, at FROM parts',
      'CREATE TYPE spans AS RANGE (SUBTYPE = int)',
      'DROP TYPE spans',
      'CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int)',
      'DROP AGGREGATE total (int)',
      'CREATE RULE kept AS ON DELETE TO copied DO ALSO INSERT INTO plans SELECT * FROM plans',
      'CREATE DOMAIN share AS int',
      'ALTER DOMAIN share ADD CHECK (VALUE <= 100)',
      'DROP DOMAIN share',
    ),
    OUTSIDE,
  );
  expect(result.tenants.map(({ error, outcome }) => error?.message ?? outcome)).toEqual(
    TENANTS.map(() => 'migrated'),
  );
});

test('outside a transaction, statements about its own schema as a whole are sent', async () => {
  const statements = [
    'REINDEX SCHEMA',
    'GRANT USAGE ON SCHEMA',
    'COMMENT ON SCHEMA',
    'ALTER DEFAULT PRIVILEGES IN SCHEMA',
  ];
  const ends = ['', ' TO CURRENT_USER', ` IS 'a tenant'`, ' GRANT SELECT ON TABLES TO CURRENT_USER'];
  const body = statements.map(
    (statement, at) =>
      `await knex.raw('${statement} ??' + ${JSON.stringify(ends[at])}, [knex.userParams.schema]);`,
  );
  const result = await migrate(body.join('\n'), OUTSIDE);
  expect(result.tenants.map(({ error, outcome }) => error?.message ?? outcome)).toEqual(
    TENANTS.map(() => 'migrated'),
  );
});

test('outside a transaction, what the migration says that it reaches is sent', async () => {
  const result = await migrate(raw('VACUUM countries'), {
    config: `export const config = { transaction: false, allowOutside: ['public.countries'] };`,
  });
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
});

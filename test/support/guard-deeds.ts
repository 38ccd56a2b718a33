import { NEIGHBOURS } from './guarded-fleet.ts';

/** Statements outside its schema that a tenant migration must not run, and the error's text. */
export const DEEDS: readonly [sentence: string, statement: string, says: string][] = [
  [
    'reads a neighbour’s table',
    `SELECT * FROM ${NEIGHBOURS}.secrets`,
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'writes into a neighbour’s table',
    `INSERT INTO ${NEIGHBOURS}.secrets VALUES (2, 'x')`,
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'drops a neighbour’s table',
    `DROP TABLE ${NEIGHBOURS}.secrets`,
    `dropped the table ${NEIGHBOURS}.secrets`,
  ],
  ['drops a neighbour', `DROP SCHEMA ${NEIGHBOURS} CASCADE`, `dropped the `],
  [
    'alters a neighbour’s table',
    `ALTER TABLE ${NEIGHBOURS}.secrets ADD x int`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'truncates a neighbour’s table',
    `TRUNCATE ${NEIGHBOURS}.secrets`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'indexes a neighbour’s table',
    `CREATE INDEX ON ${NEIGHBOURS}.secrets (word)`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'creates a table at a neighbour’s',
    `CREATE TABLE ${NEIGHBOURS}.planted ()`,
    `created the table ${NEIGHBOURS}.planted`,
  ],
  [
    'grants on a neighbour’s table',
    `GRANT SELECT ON ${NEIGHBOURS}.secrets TO PUBLIC`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'grants on a column of a neighbour’s',
    `GRANT SELECT (word) ON ${NEIGHBOURS}.secrets TO PUBLIC`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'grants a neighbour’s schema',
    `GRANT USAGE ON SCHEMA ${NEIGHBOURS} TO PUBLIC`,
    `changed the schema ${NEIGHBOURS}`,
  ],
  [
    'replaces a neighbour’s function',
    `CREATE OR REPLACE FUNCTION ${NEIGHBOURS}.spell() RETURNS int LANGUAGE sql AS 'SELECT 3'`,
    `changed the function ${NEIGHBOURS}.spell()`,
  ],
  [
    'drops a neighbour’s function',
    `DROP FUNCTION ${NEIGHBOURS}.spell()`,
    `dropped the function ${NEIGHBOURS}.spell()`,
  ],
  ['drops a neighbour’s type', `DROP TYPE ${NEIGHBOURS}.temper`, `dropped the type ${NEIGHBOURS}.temper`],
  [
    'adds to a neighbour’s type',
    `ALTER TYPE ${NEIGHBOURS}.temper ADD VALUE 'wild'`,
    `changed the type ${NEIGHBOURS}.temper`,
  ],
  [
    'counts by a neighbour’s sequence from now on',
    `ALTER TABLE users ALTER id SET DEFAULT nextval('${NEIGHBOURS}.counter')`,
    `referred to the sequence ${NEIGHBOURS}.counter`,
  ],
  [
    'has a column of a neighbour’s type',
    `CREATE TABLE moods (m ${NEIGHBOURS}.temper)`,
    `referred to the type ${NEIGHBOURS}.temper`,
  ],
  [
    'calls a neighbour’s function in a policy',
    `CREATE POLICY p ON users USING (${NEIGHBOURS}.spell() = 2)`,
    `referred to the function ${NEIGHBOURS}.spell()`,
  ],
  [
    'has a domain over a neighbour’s type',
    `CREATE DOMAIN moody AS ${NEIGHBOURS}.temper`,
    `referred to the type ${NEIGHBOURS}.temper`,
  ],
  [
    'takes a neighbour’s table for its own',
    `DO $do$ BEGIN EXECUTE format('ALTER TABLE %s SET SCHEMA %I', '${NEIGHBOURS}.secrets', current_schema()); END $do$`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'takes a shared function for its own',
    `DO $do$ BEGIN EXECUTE format('ALTER FUNCTION public.one() SET SCHEMA %I', current_schema()); END $do$`,
    'changed the function public.one()',
  ],
  [
    'counts on a neighbour’s sequence',
    `SELECT nextval('${NEIGHBOURS}.counter')`,
    `read or wrote the sequence ${NEIGHBOURS}.counter`,
  ],
  [
    'refers to a neighbour’s table',
    `ALTER TABLE items ADD secret int REFERENCES ${NEIGHBOURS}.secrets`,
    `locked the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'inherits from a neighbour’s table',
    `CREATE TABLE heir () INHERITS (${NEIGHBOURS}.secrets)`,
    `changed the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'moves its table to a neighbour',
    `CREATE TABLE moved (); ALTER TABLE moved SET SCHEMA ${NEIGHBOURS}`,
    `created the table ${NEIGHBOURS}.moved`,
  ],
  [
    'asks a neighbour’s function that may read its tables',
    `SELECT ${NEIGHBOURS}.peep()`,
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'looks into a neighbour’s tables by its search_path',
    `SET LOCAL search_path TO ${NEIGHBOURS}; SELECT count(*) FROM secrets`,
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'drops a neighbour’s table by its search_path',
    `SET search_path TO ${NEIGHBOURS}; DROP TABLE secrets`,
    `dropped the table ${NEIGHBOURS}.secrets`,
  ],
  [
    'sets its search_path in a function',
    `SELECT set_config('search_path', '${NEIGHBOURS}', true); DELETE FROM secrets`,
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],

  ['drops a shared table', 'DROP TABLE plans', 'dropped the table public.plans'],
  ['drops a shared table with what hangs on it', 'DROP TABLE public.countries CASCADE', 'dropped the'],
  ['alters a shared table', 'ALTER TABLE countries ADD population int', 'changed the table public.countries'],
  ['renames a shared table', 'ALTER TABLE countries RENAME TO lands', 'changed the table public.countries'],
  [
    'renames a shared column',
    'ALTER TABLE countries RENAME name TO title',
    'changed the table public.countries',
  ],
  ['indexes a shared table', 'CREATE INDEX ON countries (name)', 'changed the table public.countries'],
  [
    'puts a trigger on a shared table',
    'CREATE TRIGGER t AFTER INSERT ON countries EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'changed the table public.countries',
  ],
  ['truncates a shared table', 'TRUNCATE plans', 'changed the table public.plans'],
  [
    'locks a shared table',
    'LOCK TABLE plans IN EXCLUSIVE MODE',
    'locked the table public.plans against others (ExclusiveLock)',
  ],
  ['grants on a shared table', 'GRANT SELECT ON countries TO PUBLIC', 'changed the table public.countries'],
  [
    'grants on a shared column',
    'GRANT UPDATE (name) ON countries TO PUBLIC',
    'changed the table public.countries',
  ],
  ['comments on a shared table', `COMMENT ON TABLE countries IS 'mine'`, 'locked the table public.countries'],
  [
    'secures a shared table’s rows',
    'ALTER TABLE countries ENABLE ROW LEVEL SECURITY',
    'changed the table public.countries',
  ],
  [
    'sets a shared table’s policy',
    'CREATE POLICY p ON countries USING (true)',
    'changed the table public.countries',
  ],
  [
    'rules over a shared table',
    'CREATE RULE r AS ON DELETE TO countries DO INSTEAD NOTHING',
    'changed the table public.countries',
  ],
  [
    'replaces a shared view',
    'CREATE OR REPLACE VIEW public.country_names AS SELECT code AS name FROM public.countries',
    'changed the view public.country_names',
  ],
  ['restarts a shared sequence', 'ALTER SEQUENCE numbers RESTART', 'changed the sequence public.numbers'],
  ['creates a shared table', 'CREATE TABLE public.mine (id int)', 'created the table public.mine'],
  [
    'creates a table from rows elsewhere',
    'CREATE TABLE audit.copy AS SELECT 1',
    'created the table audit.copy',
  ],
  ['creates a shared view', 'CREATE VIEW public.v AS SELECT 1', 'created the view public.v'],
  ['creates a shared sequence', 'CREATE SEQUENCE public.s', 'created the sequence public.s'],
  [
    'creates a shared function',
    `CREATE FUNCTION public.two() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    'created the function public.two()',
  ],
  [
    'replaces a shared function',
    `CREATE OR REPLACE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 11'`,
    'changed the function public.one()',
  ],
  ['drops a shared function', 'DROP FUNCTION one()', 'dropped the function public.one()'],
  [
    'grants a shared function',
    'REVOKE ALL ON FUNCTION one() FROM PUBLIC',
    'changed the function public.one()',
  ],
  ['creates a shared type', `CREATE TYPE public.kind AS ENUM ('a')`, 'created the type public.kind'],
  ['adds to a shared type', `ALTER TYPE mood ADD VALUE 'ill'`, 'changed the type public.mood'],
  ['drops a shared type', 'DROP TYPE mood', 'dropped the type public.mood'],
  [
    'loosens a shared domain',
    'ALTER DOMAIN percent DROP CONSTRAINT percent_check',
    'dropped the domain constraint percent_check on public.percent',
  ],
  [
    'tightens a shared domain',
    'ALTER DOMAIN percent ADD CHECK (VALUE > 0)',
    'changed the type public.percent',
  ],
  [
    'makes shared statistics',
    'CREATE STATISTICS public.st ON id, name FROM users',
    'created the statistics object public.st',
  ],
  [
    'takes a shared type for its own',
    `DO $do$ BEGIN EXECUTE format('ALTER TYPE public.mood SET SCHEMA %I', current_schema()); END $do$`,
    'changed the type public.mood',
  ],
  [
    'takes a neighbour’s type for its own',
    `DO $do$ BEGIN EXECUTE format('ALTER TYPE %s SET SCHEMA %I', '${NEIGHBOURS}.temper', current_schema()); END $do$`,
    `changed the type ${NEIGHBOURS}.temper`,
  ],
  [
    'comments on a neighbour’s index',
    `DO $do$ BEGIN EXECUTE 'COMMENT ON INDEX ${NEIGHBOURS}.secrets_pkey IS NULL'; END $do$`,
    `locked the index ${NEIGHBOURS}.secrets_pkey`,
  ],
  [
    'grants on a system column',
    'GRANT SELECT (xmin) ON countries TO PUBLIC',
    'changed the table public.countries',
  ],
  [
    'hides a lock behind a check that comes and goes',
    'ALTER TABLE users ADD CONSTRAINT passing CHECK (true); ALTER TABLE users DROP CONSTRAINT passing; LOCK TABLE plans',
    'locked the table public.plans',
  ],
  [
    'hides a drop behind a temporary table',
    'CREATE TEMP TABLE pg_proc (); DROP FUNCTION public.one()',
    'dropped the function public.one()',
  ],
  [
    'leaves a deed to the history',
    `CREATE FUNCTION deed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN CREATE TABLE public.late (); RETURN NULL; END'; CREATE TRIGGER deed AFTER INSERT ON knex_migrations_tenant FOR EACH ROW EXECUTE FUNCTION deed()`,
    'created the table public.late',
  ],
  [
    'changes what is tenantctl’s',
    'LOCK TABLE tenantctl.runs IN EXCLUSIVE MODE',
    'locked the table tenantctl.runs',
  ],
  [
    'writes what is sent to tenants later',
    `INSERT INTO tenantctl.recordings VALUES ('x', 'up', 'k', 'SELECT 1', '{}', 'w', true, now(), 'c')`,
    'changed the table tenantctl.recordings',
  ],
  [
    'forgets failures',
    'DELETE FROM tenantctl.tenant_failures',
    'changed the table tenantctl.tenant_failures',
  ],
  ['creates a schema', 'CREATE SCHEMA mine', 'created the schema mine'],
  ['drops a schema', 'DROP SCHEMA audit CASCADE', 'dropped the'],
  ['grants the shared schema', 'GRANT CREATE ON SCHEMA public TO PUBLIC', 'changed the schema public'],
  ['creates a role', 'CREATE ROLE intruder', 'created the role intruder'],
  ['sets a role’s settings', `ALTER ROLE CURRENT_USER SET work_mem = '1MB'`, 'changed the role postgres'],
  [
    'sets the database’s settings',
    `DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $do$`,
    'changed the database ',
  ],
  [
    'gives default privileges',
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
    'created the default acl',
  ],
  ['creates a cast', 'CREATE CAST (public.mood AS int) WITH INOUT', 'created the cast'],
  ['creates a publication', 'CREATE PUBLICATION p', 'created the publication p'],
  [
    'creates an operator',
    'CREATE OPERATOR public.<<<< (leftarg = int, rightarg = int, function = int4pl)',
    'created the operator public.<<<<',
  ],
  ['creates a collation', 'CREATE COLLATION public.c FROM "C"', 'created the collation public.c'],
  [
    'locks the catalogs',
    'LOCK TABLE pg_catalog.pg_class IN EXCLUSIVE MODE',
    'locked the table pg_catalog.pg_class',
  ],
];

/** Statements that a DO block cannot contain: several statements, or a block itself. */
export const CANNOT_IN_BLOCK = /^SET |^CREATE FUNCTION|^DO /;

/** JavaScript that sends these texts in sequence. */
export function raw(...texts: string[]): string {
  return texts.map((text) => `await knex.raw(${JSON.stringify(text)});`).join('\n');
}

export function quoted(text: string): string {
  return text.replaceAll("'", "''");
}

import { afterAll, beforeAll, expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { TenantctlError } from '../../../src/errors.ts';
import { USUAL_FILES } from '../../support/project.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

let standing: StandingFleet;
let number = 0;

beforeAll(async () => {
  standing = await standingFleet(['org_a', 'org_b'], USUAL_FILES);
  await standing.fleet.query(`
    CREATE TABLE public.countries (code text PRIMARY KEY, name text);
    CREATE TABLE public."Plans 1" (id int);
    CREATE TYPE public.mood AS ENUM ('calm');
    CREATE DOMAIN public.percent AS int CONSTRAINT percent_check CHECK (VALUE <= 100);
    CREATE FUNCTION public.one(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE EXTENSION hstore WITH SCHEMA public;
    CREATE SCHEMA "Audit";
    CREATE TABLE "Audit".entries (what text)`);
  await standing.fleet.query('DROP ROLE IF EXISTS "hinted Role", hinted');
});

afterAll(async () => {
  await standing.fleet.query('DROP ROLE IF EXISTS "hinted Role", hinted');
  await standing.close();
});

const TABLES = Array.from({ length: 12 }, (_, nth) => `CREATE TABLE public.many_${nth} ()`);

const IN_TRANSACTION: readonly (readonly string[])[] = [
  ['CREATE ROLE "hinted Role"', 'CREATE ROLE hinted', 'COMMENT ON ROLE hinted IS NULL'],
  ['CREATE TABLE public."My Table" (id serial)', 'CREATE TABLE "Audit"."it\'s, two" ()'],
  [`CREATE FUNCTION public."do it"(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'`],
  [`CREATE OR REPLACE FUNCTION public.one(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 2'`],
  ['CREATE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int)'],
  ['CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)'],
  ['CREATE OPERATOR FAMILY public.odd USING btree'],
  ['CREATE CAST (int AS public.mood) WITH INOUT'],
  ['CREATE PUBLICATION "Hinted" FOR TABLE countries'],
  [
    `CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
    'CREATE EVENT TRIGGER hinted ON sql_drop EXECUTE FUNCTION public.noted()',
    'ALTER EVENT TRIGGER hinted DISABLE',
  ],
  ['CREATE LANGUAGE hinted HANDLER plpgsql_call_handler'],
  [
    'CREATE FOREIGN DATA WRAPPER hinted',
    'CREATE SERVER "the server" FOREIGN DATA WRAPPER hinted',
    'CREATE USER MAPPING FOR CURRENT_USER SERVER "the server"',
  ],
  ['CREATE SCHEMA "Extra"', 'CREATE VIEW "Extra".v AS SELECT 1'],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC'],
  ['ALTER DOMAIN public.percent DROP CONSTRAINT percent_check'],
  ['CREATE TEXT SEARCH CONFIGURATION public.hinted (COPY = simple)'],
  ['CREATE COLLATION public.hinted FROM "C"'],
  ['CREATE STATISTICS public.hinted ON code, name FROM countries'],
  ["COMMENT ON TABLE countries IS 'all'", 'GRANT SELECT ON countries TO PUBLIC'],
  ['CREATE INDEX ON countries (name)', 'ALTER TABLE "Plans 1" ADD CHECK (id > 0)'],
  ["ALTER TYPE public.mood ADD VALUE 'wild'", 'CREATE TYPE public.pair AS (a int, b text)'],
  ['ALTER FUNCTION public.hstore(text, text) COST 7'],
  ['DO $$ BEGIN DROP EXTENSION hstore; END $$'],
  TABLES,
  ['DROP TABLE "Plans 1"', 'DROP FUNCTION public.one', 'DROP SCHEMA "Audit" CASCADE'],
];

/** Each statement of a .js file is refused when it is its turn: the hint cannot know the next ones. */
const OUTSIDE: readonly (readonly [format: 'sql' | 'js', statements: readonly string[]])[] = [
  [
    'sql',
    [
      'CREATE INDEX CONCURRENTLY "On Name" ON countries (name)',
      `CREATE TABLE public."Late, isn't it" ()`,
      'CREATE ROLE hinted',
      'VACUUM countries',
    ],
  ],
  ['sql', ['REINDEX SCHEMA public']],
  ['sql', ['VACUUM']],
  ['js', ["ALTER TYPE public.mood ADD VALUE 'mild'"]],
  ['js', ['CREATE ROLE "hinted Role"']],
  ['js', ['CREATE PUBLICATION hinted']],
  ['js', ['CREATE SCHEMA "Late"']],
  ['js', ['DROP SCHEMA "Audit" CASCADE']],
];

/** The text of a migration, and how it takes over what a hint says. */
const FORMATS = {
  sql: {
    text: (config: string, statements: readonly string[]) => `${config}\n${statements.join(';\n')};\n`,
    none: '-- migrate:up',
    outside: '-- migrate:up transaction:false',
    hinted: /-- migrate:up .*$/,
  },
  js: {
    text: (config: string, statements: readonly string[]) =>
      `${config}\nexport const up = async (knex) => { ${statements.map((text) => `await knex.raw(${JSON.stringify(text)});`).join('\n')} };`,
    none: '',
    outside: 'export const config = { transaction: false };',
    hinted: /export const config = .*;$/,
  },
} as const;

const FORMS = Object.keys(FORMATS) as (keyof typeof FORMATS)[];
const EACH = IN_TRANSACTION.flatMap((statements) => FORMS.map((format) => [format, statements] as const));

/** Tries a migration, follows the hint of its error to the letter, and tries again. @returns both errors */
async function followed(
  format: keyof typeof FORMATS,
  config: string,
  statements: readonly string[],
  errorOf: () => Promise<TenantctlError | undefined>,
): Promise<[first: TenantctlError | undefined, second: TenantctlError | undefined]> {
  const errors: (TenantctlError | undefined)[] = [];
  let form = config;
  for (const _ of ['as it is', 'with the hint']) {
    const name = `3_${(number += 1)}.${format}`;
    await standing.fleet.add(name, FORMATS[format].text(form, statements));
    try {
      errors.push(await errorOf());
    } finally {
      await standing.fleet.project.remove(`migrations/tenants/${name}`);
    }
    form = FORMATS[format].hinted.exec(errors[0]?.hint ?? '')?.[0] ?? 'no form';
  }
  return [errors[0], errors[1]];
}

test.each(EACH)('whatever is refused is accepted after its hint: .%s %j', async (format, statements) => {
  const { database, project } = standing.fleet;
  const options = { folder: project.tenants, masterFolder: project.master };
  const [first, second] = await followed(format, FORMATS[format].none, statements, async () => {
    const { plans } = await rehearseTenants(database, options);
    return plans[0]?.migrations.at(-1)?.error;
  });
  expect(first).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA' });
  expect(second).toBeUndefined();
});

test.each(OUTSIDE)(
  'so is what would not be sent outside a transaction: .%s %j',
  async (format, statements) => {
    const { fleet } = standing;
    const [first, second] = await followed(format, FORMATS[format].outside, statements, async () => {
      const { tenants } = await fleet.migrate({ tenants: ['org_a'] });
      await fleet.query(`DELETE FROM ${schemaNameFor('org_a')}.knex_migrations_tenant WHERE name LIKE '3%'`);
      return tenants[0]?.error;
    });
    expect(first).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA' });
    expect(second).toBeUndefined();
  },
);

test('a hint lists a schema if the migration needs much of it, and keeps what is allowed already', async () => {
  const { database, project } = standing.fleet;
  await standing.fleet.add(
    '3_many.sql',
    `-- migrate:up allow-outside:public.countries\n${TABLES.join(';\n')};`,
  );
  const { plans } = await rehearseTenants(database, { folder: project.tenants });
  await project.remove('migrations/tenants/3_many.sql');
  expect(plans[0]?.migrations[0]?.error?.hint).toMatch(
    / -- migrate:up allow-outside:public\.countries,public\.\*$/,
  );
});

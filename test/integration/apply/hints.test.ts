import { afterAll, beforeAll, expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { TestFleet } from '../../support/fleet.ts';
import { knexMigration, USUAL_FILES } from '../../support/project.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

let standing: StandingFleet;
let fleet: TestFleet;

beforeAll(async () => {
  standing = await standingFleet(['org_a'], USUAL_FILES);
  ({ fleet } = standing);
  const schema = schemaNameFor('org_a');
  await fleet.query(`INSERT INTO ${schema}.notes VALUES (1), (2)`);
  await fleet.query('DROP EXTENSION IF EXISTS vector');
  await fleet.query(`CREATE TYPE ${schema}.mood AS ENUM ('calm')`);
});

afterAll(() => standing.close());

let number = 0;

/** The error of a migration that fails. */
async function errorOf(extension: string, text: string, options: Parameters<TestFleet['migrate']>[0] = {}) {
  const name = `3_${(number += 1)}${extension}`;
  await fleet.add(name, text);
  try {
    const { tenants } = await fleet.migrate({ retries: 0, vectorExtension: 'off', ...options });
    return tenants[0]?.error;
  } finally {
    await fleet.project.remove(`migrations/tenants/${name}`);
  }
}

const INDEX = 'CREATE INDEX CONCURRENTLY by_id ON notes (id)';
const SENT = `await knex.raw('${INDEX}');`;

test.each([
  ['.js', knexMigration(SENT), 'export const config = { transaction: false };'],
  [
    '.ts',
    `export const up = async (knex: any) => { ${SENT} };`,
    'export const config = { transaction: false };',
  ],
  ['.cjs', `exports.up = async (knex) => { ${SENT} };`, ': exports.config = { transaction: false };'],
  [
    '.cjs',
    `module.exports = { up: async (knex) => { ${SENT} } };`,
    'module.exports.config = { transaction: false };',
  ],
  [
    '.mjs',
    `export default { async up(knex) { ${SENT} } };`,
    'config: { transaction: false } in the exported object',
  ],
  ['.sql', `-- migrate:up\n${INDEX};`, '-- migrate:up transaction:false'],
])(
  'what cannot run in a transaction gets the hint at transaction: false, in the form of its file: %s %s',
  async (extension, text, form) => {
    const error = await errorOf(extension, text);
    expect(error).toMatchObject({ sqlstate: '25001' });
    expect(error?.hint).toMatch(
      /^Put the statement in a migration of its own that runs outside a transaction: /,
    );
    expect(error?.hint).toContain(form);
  },
);

test.each([
  ['VACUUM notes', '25001', /outside a transaction: -- migrate:up transaction:false/],
  ['REINDEX TABLE CONCURRENTLY notes', '25001', /outside a transaction/],
  [
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    '25001',
    /^tenantctl begins the transaction.*remove the statement/,
  ],
  [
    "ALTER TYPE mood ADD VALUE 'wild'; SELECT 'wild'::mood",
    '55P04',
    /ADD VALUE in an earlier migration of its own: .* -- migrate:up transaction:false/,
  ],
  ['CREATE TABLE notes ()', '42P07', /^The schema has it already/],
  ['ALTER TABLE notes ADD id int', '42701', /^The schema has it already/],
  ["CREATE TYPE mood AS ENUM ('x')", '42710', /^The schema has it already/],
  ['SELECT * FROM nowhere', '42P01', /^Neither the schema nor public has it/],
  ['SELECT nothing FROM notes', '42703', /^Neither the schema nor public has it/],
  ['CREATE TABLE x (a nothing)', '42704', /^Neither the schema nor public has it/],
  ['CREATE EXTENSION nowhere', expect.stringMatching(/0A000|58P01/), /install its package/],
  ['CREATE TABLE x (a vector(3))', '42704', /CREATE EXTENSION IF NOT EXISTS vector/],
  ['SELECT nothing(1)', '42883', /needs? a cast, or an extension/],
  ['SELEC 1', '42601', /^Correct the SQL/],
  ['INSERT INTO notes VALUES (1)', '23505', /^Rows of this tenant.*violate the constraint/],
  ['ALTER TABLE notes ADD b int NOT NULL', '23502', /^Rows of this tenant/],
  ['ALTER TABLE notes ADD CHECK (id > 5)', '23514', /^Rows of this tenant/],
  ['ALTER TABLE notes ADD FOREIGN KEY (id) REFERENCES tags', '23503', /^Rows of this tenant/],
  ["SELECT 'a'::uuid", '22P02', /^A value is not valid there/],
  ["SELECT 'a'::int", '22P02', /^A value is not valid there/],
  [
    'CREATE VIEW v AS SELECT id FROM notes; ALTER TABLE notes ALTER id TYPE bigint',
    '0A000',
    /^PostgreSQL does not support that here/,
  ],
  ['CREATE VIEW v AS SELECT id FROM notes; DROP TABLE notes', '2BP01', /DETAIL names them.* CASCADE/],
  [
    'DO $$ BEGIN COMMIT; END $$',
    '2D000',
    /of its own that runs outside a transaction: -- migrate:up transaction:false/,
  ],
  ["DO $$ BEGIN RAISE 'no'; END $$", 'P0001', /raised this error itself/],
  [
    'SET LOCAL transaction_read_only = on; CREATE TABLE x ()',
    '25006',
    /a standby, or default_transaction_read_only is on/,
  ],
  [
    'SET LOCAL statement_timeout = 20; SELECT pg_sleep(3)',
    '57014',
    /--statement-timeout <ms>.*but not one that the migration sets.* For other statements raise that of the role/,
  ],
  [
    'SELECT pg_cancel_backend(pg_backend_pid()); SELECT pg_sleep(3)',
    '57014',
    /^Somebody cancelled the statement/,
  ],
  ['CREATE TEMP TABLE rows (n int); COPY rows FROM STDIN', '57014', /^COPY ... FROM STDIN has no input here/],
  ['SET ROLE nobody_here', '22023', /^A value is not valid there/],
])('each refusal has its own hint: %s', async (statement, sqlstate, hint) => {
  const error = await errorOf('.sql', `-- migrate:up\n${statement};`);
  expect({ sqlstate: error?.sqlstate, hint: error?.hint }).toEqual({
    sqlstate,
    hint: expect.stringMatching(hint),
  });
});

test('the hint of a timeout names the setting that struck, and that of an error in JavaScript the file', async () => {
  const slow = '-- migrate:up\nSELECT pg_sleep(3);';
  const timedOut = await errorOf('.sql', slow, { statementTimeoutMs: 20 });
  expect(timedOut?.hint).toMatch(/^Raise STATEMENT_TIMEOUT_MS \(--statement-timeout <ms>/);
  const thrown = await errorOf('.js', knexMigration("throw new Error('no');"));
  expect(thrown?.hint).toBe('Correct the migration, and run the command again.');
  const nested = await errorOf(
    '.sql',
    `-- migrate:up transaction:false\nDO $$ BEGIN EXECUTE '${INDEX}'; END $$;`,
  );
  expect(nested?.hint).toMatch(
    /It must be sent as a statement of its own, not from a function or a DO block/,
  );
  const outside = await errorOf('.sql', '-- migrate:up transaction:false\nCREATE TABLE notes ();');
  expect(outside?.hint).toMatch(/what it did before it failed remains\. The schema has it already/);
});

const HARD_CODED =
  /hard-codes the schema of public\.sought\. What belongs to a tenant is in the tenant's schema, which is first in the search_path: write sought/;
const SETS_SEARCH_PATH = /^The migration sets search_path itself.*Remove that statement/;
const DUMPED = "SELECT pg_catalog.set_config('search_path', '', false)";

test.each([
  ['ALTER TABLE public.sought ADD x int', '42P01', HARD_CODED, 'public.sought'],
  [
    'CREATE TABLE public.planted (); INSERT INTO "public"."sought" VALUES (1)',
    '42P01',
    HARD_CODED,
    'public.planted',
  ],
  ['ALTER TABLE notes ADD m public.sought', '42704', HARD_CODED, undefined],
  ['SELECT public.sought(1)', '42883', HARD_CODED, undefined],
  ['CALL public.sought(1)', '42883', HARD_CODED, undefined],
  [
    'CREATE INDEX ON audit.sought (id)',
    '3F000',
    /hard-codes the schema audit\. .* write the name alone/,
    'audit.sought',
  ],
  [
    'CREATE SCHEMA other; CREATE TABLE other.sought (); ALTER TABLE sought ADD x int',
    '42P01',
    /hard-codes the schema of other\.sought\. .* write sought/,
    'other.sought',
  ],
  [
    `${DUMPED}; CREATE TABLE public.planted (); ALTER TABLE notes ADD x int`,
    '42P01',
    SETS_SEARCH_PATH,
    'public.planted',
  ],
  [`${DUMPED}; CREATE TABLE sought ()`, '3F000', SETS_SEARCH_PATH, undefined],
  ['SET search_path TO public; ALTER TABLE notes ADD x int', '42P01', SETS_SEARCH_PATH, undefined],
  [
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = public AS 'SELECT 1'; SELECT * FROM sought",
    '42P01',
    /^Neither the schema nor public has it/,
    undefined,
  ],
  [
    "SELECT query_to_xml('SELECT FROM go' || 'ne.sought', true, true, '')",
    '42P01',
    /^Neither the schema nor public has it/,
    undefined,
  ],
])(
  'what fails for a schema or a search_path of its own says so, and what it does outside: %s',
  async (text, sqlstate, hint, outside) => {
    const knex = knexMigration(
      text
        .split('; ')
        .map((each) => `await knex.raw(${JSON.stringify(each)});`)
        .join('\n'),
    );
    for (const error of [await errorOf('.sql', `-- migrate:up\n${text};`), await errorOf('.js', knex)]) {
      expect(error).toMatchObject({ sqlstate, hint: expect.stringMatching(hint) });
      const told = error?.details?.flatMap((line) => /^Outside .*: (.*)\.$/.exec(line)?.[1] ?? []) ?? [];
      expect(told).toEqual(outside === undefined ? [] : [outside]);
    }
  },
);

import { expect, test } from 'vitest';
import {
  queryTenantsInto,
  type QueryTenantsIntoOptions,
} from '../../../src/core/query/query-tenants-into.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { Database } from '../../../src/db/database.ts';
import { createEmbeddedDatabase } from '../../support/database.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { closeGate, until } from '../../support/gate.ts';
import { createPooledFleet } from '../../support/pooled-fleet.ts';

const ask = (database: Database, sql: string, options: Partial<QueryTenantsIntoOptions> = {}) =>
  queryTenantsInto(database, { sql, table: 'report', ...options });

const rowsOf = async ({ query }: Pick<TestFleet, 'query'>, table = 'report') =>
  (await query<{ line: string }>(`SELECT t::text AS line FROM ${table} t ORDER BY 1`)).map(
    ({ line }) => line,
  );

/** Values that a detour by another notation would change. */
const VALUES = `SELECT v.* FROM (VALUES (
  1.10::numeric(30,2), 123456789012345678901234567890.123456789::numeric, 9007199254740993::bigint,
  0.1::float8 + 0.2, 1e-7::float4, 'NaN'::float8, '-infinity'::timestamptz, 'infinity'::date,
  '2026-01-02 03:04:05.678901+00'::timestamptz, interval '1 mon -2 days 03:04:05.000001',
  NULL::text, '', E'a\\tb\\\\c\\nd\\re', '\\N', '\\.', 'é"''€\u{1F600}', '{"a": [1, {"b": null}], "n": 1.0}'::json,
  '{"z": 1.00}'::jsonb, ARRAY['x', NULL, '', 'a,"b"\\']::text[], '{}'::int[], '[2:3]={7,8}'::int[],
  '\\x00ff0a'::bytea, true, '10.0.0.0/8'::cidr, int4range(1, 5), 'ab'::char(4), B'101'::bit(3),
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, (1, 'q"')::text
)) AS v (${Array.from({ length: 29 }, (_, at) => `c${at}`).join(', ')})`;

test('the table has every value as the tenants have it, with its type; grants and views survive the next run', async () => {
  const fleet = await createFleet(['org_a', "org 'b\\"]);
  const { database, query } = fleet;
  await query(`ALTER DATABASE ${String((await query<{ d: string }>('SELECT current_database() AS d'))[0]?.d)}
    SET extra_float_digits = -5`);

  const result = await ask(database, VALUES);

  expect(result.into).toEqual({ table: 'public.report', replaced: true, rows: 2 });
  const [differing] = await query<{ n: number; types: number }>(
    `WITH asked AS (${VALUES})
     SELECT count(*)::int AS n FROM report r JOIN asked a
       ON to_jsonb(r) - 'organization' = to_jsonb(a) AND row(r.*)::text = row(r.organization, a.*)::text`,
  );
  expect(differing?.n).toBe(2);
  // The comparison itself would not see what this setting rounds.
  expect(await query('SELECT DISTINCT c3 = 0.1::float8 + 0.2 AS exact FROM report')).toEqual([
    { exact: true },
  ]);
  const types = await query<{ type: string }>(
    `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = 'report'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  expect(types.map(({ type }) => type)).toEqual(
    `text numeric numeric bigint double precision real double precision timestamp with time zone date
     timestamp with time zone interval text text text text text text json jsonb text[] integer[] integer[] bytea
     boolean cidr int4range bpchar bit uuid text`
      .replaceAll(/(double|time|with|timestamp) (?=precision|with|time|zone)/g, '$1_')
      .split(/\s+/)
      .map((type) => type.replaceAll('_', ' ').replace(/^bit$/, '"bit"')),
  );

  await query(`CREATE ROLE reader_${process.pid}`).catch(() => {});
  await query(
    `GRANT SELECT ON report TO reader_${process.pid}; CREATE VIEW seen AS SELECT organization FROM report`,
  );
  await query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_a'`);
  await ask(database, VALUES);
  expect(await rowsOf(fleet, 'seen')).toEqual([`("org 'b\\\\")`]);
  expect(
    await query(`SELECT has_table_privilege('reader_${process.pid}', 'report', 'SELECT') AS may`),
  ).toEqual([{ may: true }]);
  await query(`DROP OWNED BY reader_${process.pid}; DROP ROLE reader_${process.pid}`);
});

test('if a tenant fails, the table is as it was, unless a partial answer is allowed', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { database, query } = fleet;
  await ask(database, 'SELECT 1 AS n');
  const before = await rowsOf(fleet);
  // It fails after its first page.
  await query(`CREATE FUNCTION public.fail_in(schema text, n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF schema = current_schema() AND n = 5000 THEN RAISE 'no more'; END IF; RETURN n; END $$`);
  const sql = `SELECT fail_in('${schemaNameFor('org_b')}', g) AS n FROM generate_series(1, 5000) g`;

  const failed = await ask(database, sql, { retries: 0 });
  expect(failed).toMatchObject({
    totals: { answered: 2, failed: 1 },
    into: { replaced: false, rows: 0 },
  });
  expect(await rowsOf(fleet)).toEqual(before);

  const partial = await ask(database, sql, { retries: 0, allowPartial: true });
  expect(partial.into).toMatchObject({ replaced: true, rows: 10_000 });
  expect(await query('SELECT organization, count(*)::int AS n FROM report GROUP BY 1 ORDER BY 1')).toEqual([
    { organization: 'org_a', n: 5000 },
    { organization: 'org_c', n: 5000 },
  ]);
  // If no tenant answers, nothing is partial.
  const none = await ask(database, 'SELECT n FROM missing', { allowPartial: true });
  expect([none.into.replaced, (await rowsOf(fleet)).length]).toEqual([false, 10_000]);
});

test('readers see the old rows, without waiting, until the new ones are complete; a second writer is told', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, query, testDatabase } = fleet;
  await ask(database, 'SELECT 1 AS n');
  const gate = await closeGate(testDatabase);
  const waits = `SELECT CASE current_schema() WHEN '${schemaNameFor('org_a')}' THEN 2
    ELSE coalesce(length(pg_advisory_xact_lock_shared(4711)::text), 0) + 2 END AS n`;
  const running = ask(database, waits);
  await gate.reached();
  await until(
    async () => (await query(`SELECT FROM pg_stat_activity WHERE query LIKE 'COPY %'`)).length === 1,
    'the COPY',
  );

  expect(await rowsOf(fleet)).toEqual(['(org_a,1)', '(org_b,1)']);
  const other = await testDatabase.open();
  await expect(ask(other, 'SELECT 3 AS n', { lockTimeoutMs: 100 })).rejects.toMatchObject({
    code: 'LOCK_TIMEOUT',
    message: expect.stringContaining('public.report'),
  });
  await gate.open();
  await running;
  expect(await rowsOf(fleet)).toEqual(['(org_a,2)', '(org_b,2)']);
});

test('two runs that create a table take turns', async () => {
  const { database, testDatabase } = await createFleet(['org_a']);
  const other = await testDatabase.open();
  const slowly = 'SELECT 1 AS n FROM pg_sleep(0.3)';
  const both = await Promise.all([ask(database, slowly), ask(other, slowly)]);
  expect(both.map(({ into }) => into)).toMatchObject([
    { replaced: true, rows: 1 },
    { replaced: true, rows: 1 },
  ]);
});

test('a table is replaced only if exec --into has made it, or its comment allows it', async () => {
  const { database, query } = await createFleet(['org_a']);
  const schema = schemaNameFor('org_a');
  await query(
    'CREATE TABLE public.orders AS SELECT 7 AS id; CREATE VIEW public.seen AS SELECT 1 AS x; CREATE SCHEMA reports',
  );
  for (const [table, message] of [
    ['orders', 'exec --into has not made it'],
    ['tenants', 'a table of tenantctl'],
    ['knex_migrations_master_lock', 'a table of tenantctl'],
    ['seen', 'not a table'],
    [`${schema}.notes`, 'schema of a tenant'],
    ['tid_0123456789.report', 'schema of a tenant'],
    ['tenantctl.runs', 'schema of tenantctl'],
    ['pg_catalog.x', 'schema of PostgreSQL'],
    ['nowhere.report', 'does not exist'],
  ] as const)
    await expect(ask(database, 'SELECT 1 AS id', { table })).rejects.toMatchObject({
      code: 'TABLE_UNUSABLE',
      message: expect.stringContaining(message),
    });
  for (const table of ['', 'a.b.c', '"x"', '.x', 'x'.repeat(64)])
    await expect(ask(database, 'SELECT 1', { table })).rejects.toMatchObject({ code: 'USAGE' });
  expect(await query('SELECT id FROM orders')).toEqual([{ id: 7 }]);

  // What its team has marked is adopted.
  await query(`CREATE TABLE reports."Daily Sums" (organization text PRIMARY KEY, id int);
    COMMENT ON TABLE reports."Daily Sums" IS 'tenantctl exec --into'`);
  const adopted = await ask(database, 'SELECT 8 AS id', { table: 'reports.Daily Sums' });
  expect(adopted.into).toEqual({ table: 'reports."Daily Sums"', replaced: true, rows: 1 });
  // What the server refuses ends the run.
  await expect(
    ask(database, 'SELECT generate_series(1, 2) AS id', { table: 'reports.Daily Sums' }),
  ).rejects.toMatchObject({ code: 'DATABASE_ERROR', sqlstate: '23505' });
  expect(await query('SELECT * FROM reports."Daily Sums"')).toEqual([{ organization: 'org_a', id: 8 }]);
});

test('a tenant whose columns differ is named; types of its own schema are stored as text', async () => {
  const { database, query } = await createFleet(['org_a', 'org_b', 'org_c']);
  for (const organization of ['org_a', 'org_b', 'org_c']) {
    const schema = schemaNameFor(organization);
    const type = organization === 'org_b' ? 'bigint' : 'int';
    await query(`CREATE TYPE ${schema}.mood AS ENUM ('sad', 'glad');
      CREATE TABLE ${schema}.moods AS SELECT 'glad'::${schema}.mood AS mood, ARRAY['sad']::${schema}.mood[] AS moods, 5::${type} AS n`);
  }
  const own = await ask(
    database,
    `SELECT mood, moods, moods AS "order", m, 'moods'::regclass AS t FROM moods m`,
  );
  expect(own.tenants.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(await query(`SELECT mood, moods, "order", m, t FROM report WHERE organization = 'org_a'`)).toEqual([
    { mood: 'glad', moods: '{sad}', order: '{sad}', m: '(glad,{sad},5)', t: 'moods' },
  ]);
  await query(
    `DROP SCHEMA ${schemaNameFor('org_c')} CASCADE; DELETE FROM tenants WHERE clerk_org_id = 'org_c'; DROP TABLE report`,
  );

  await ask(database, 'SELECT n FROM moods', { tenants: ['org_a'] });
  const { tenants, into } = await ask(database, 'SELECT n FROM moods');
  expect(into.replaced).toBe(false);
  expect(tenants.find(({ outcome }) => outcome === 'failed')).toMatchObject({
    clerkOrgId: 'org_b',
    error: {
      code: 'TABLE_UNUSABLE',
      message:
        'The columns are organization text, n bigint; those of the table public.report are organization text, n integer.',
    },
  });
  for (const sql of ['SELECT 1 AS a, 2 AS a', "SELECT 'x' AS organization"])
    expect((await ask(database, sql, { table: 'twice' })).tenants[0]?.error?.message).toMatch(
      /^Two columns are called/,
    );
});

test('two connections suffice, a pooler may be in between, and the embedded database is refused', async () => {
  const fleet = await createFleet(['org_a', 'org_b'], { maxConnections: 2 });
  const sql = 'SELECT g FROM generate_series(1, 3000) g';
  expect((await ask(fleet.database, sql)).into.rows).toBe(6000);

  const pooled = await createPooledFleet(['org_a', 'org_b']);
  expect((await ask(pooled.database, sql)).into.rows).toBe(6000);

  const embedded = await (await createEmbeddedDatabase()).open();
  await expect(ask(embedded, sql)).rejects.toMatchObject({ code: 'USAGE' });
});

import { expect, onTestFinished, test } from 'vitest';
import {
  queryTenants,
  type QueryTenantsOptions,
  type TenantRows,
} from '../../../src/core/query/query-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { jsonValue } from '../../../src/db/json-value.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { readPages } from '../../../src/db/read-pages.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createEmbeddedDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { until } from '../../support/gate.ts';
import { holdLock } from '../../support/hold-lock.ts';
import type { Database } from '../../../src/db/database.ts';

/** Asks, and gathers what was handed over. */
async function ask(database: Database, sql: string, options: Partial<QueryTenantsOptions> = {}) {
  const pages: TenantRows[] = [];
  const result = await queryTenants(database, {
    sql,
    onRows: (page) => void pages.push(page),
    ...options,
  });
  return {
    result,
    pages,
    rows: pages
      .flatMap(({ tenant, rows }) => rows.map((row) => [tenant.clerkOrgId, ...row]))
      .toSorted((one, other) => (String(one) < String(other) ? -1 : 1)),
    errors: result.tenants.flatMap(({ error }) => (error === undefined ? [] : [error])),
  };
}

test('each ACTIVE tenant answers from its own schema, then public; a named one whatever its status', async () => {
  const { database, query } = await createFleet(['org_a', 'org_b', 'org_c']);
  await query(`INSERT INTO ${schemaNameFor('org_a')}.notes VALUES (1), (2)`);
  await query('CREATE TABLE public.shared AS SELECT 7 AS x');
  await query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_c'`);

  const sql = 'SELECT (SELECT count(*) FROM notes), x, current_schemas(false) FROM shared;';
  const { rows, result } = await ask(database, sql);
  expect(rows).toEqual([
    ['org_a', '2', '7', `{${schemaNameFor('org_a')},public}`],
    ['org_b', '0', '7', `{${schemaNameFor('org_b')},public}`],
  ]);
  expect(result).toMatchObject({
    totals: { selected: 2, answered: 2, failed: 0, skipped: 0, rows: 2 },
    interrupted: false,
  });
  const named = await ask(database, 'SELECT 1', { tenants: ['org_c', schemaNameFor('org_a')] });
  expect(named.rows.map(([organization]) => organization)).toEqual(['org_a', 'org_c']);
  const none = await ask(database, 'SELECT 1', { tenants: [] });
  expect(none.result.totals).toEqual({ selected: 0, answered: 0, failed: 0, skipped: 0, rows: 0 });
  await expect(ask(database, 'SELECT 1', { tenants: ['org_x'] })).rejects.toMatchObject({
    code: 'TENANT_UNKNOWN',
  });
});

test('a tenant without a usable schema fails, and public does not answer in its place', async () => {
  const { database, query } = await createFleet(['org_a', 'org_b']);
  await query('CREATE TABLE public.notes AS SELECT 1 AS id');
  await query(`DROP SCHEMA ${schemaNameFor('org_a')} CASCADE`);
  const { rows, errors } = await ask(database, 'SELECT count(*) FROM notes');
  expect(rows).toEqual([['org_b', '0']]);
  expect(errors).toEqual([expect.objectContaining({ code: 'SCHEMA_MISSING', tenant: 'org_a' })]);

  // It was dropped since the catalog was read.
  const settings = { searchPath: ['tid_gone', 'public'] };
  await expect(
    readPages(database, settings, 'SELECT count(*) FROM notes', () => Promise.resolve()),
  ).rejects.toMatchObject({ code: 'SCHEMA_MISSING' });
});

test('nothing is written, whatever the query calls', async () => {
  const { database, query } = await createFleet(['org_a']);
  const schema = schemaNameFor('org_a');
  await query(`CREATE SEQUENCE ${schema}.numbers`);
  await query(`CREATE FUNCTION public.write() RETURNS int LANGUAGE sql VOLATILE AS
    $$ INSERT INTO ${schema}.notes VALUES (1) RETURNING id $$`);
  await query(`CREATE FUNCTION public.unlock_and_write() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    SET TRANSACTION READ WRITE; RETURN public.write(); END $$`);
  await query(`CREATE FUNCTION public.leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    COMMIT; RETURN 1; END $$`);
  for (const [sql, sqlstate] of [
    ['SELECT write()', '25006'],
    [`SELECT set_config('transaction_read_only', 'off', false), write()`, '25001'],
    ['SELECT unlock_and_write()', '25001'],
    ['SELECT leave()', '2D000'],
    [`SELECT nextval('numbers')`, '25006'],
    [`SELECT setval('numbers', 9)`, '25006'],
    ['EXPLAIN ANALYZE SELECT write()', '25006'],
  ] as const) {
    const { errors, rows } = await ask(database, sql);
    expect({ sql, rows, states: errors.map((error) => error.sqlstate) }).toEqual({
      sql,
      rows: [],
      states: [sqlstate],
    });
    expect(errors[0]?.hint?.includes('READ ONLY') ?? false).toBe(sqlstate === '25006');
  }
  expect(await query(`SELECT id FROM ${schema}.notes`)).toEqual([]);
});

test.for([false, true])(
  'what a query leaves in its session does not reach the next tenant (a prepared statement: %s)',
  async (prepares) => {
    const { database, query } = await createFleet(['org_a', 'org_b'], { maxConnections: 2 });
    await query(`CREATE FUNCTION public.soil(prepares bool) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_advisory_lock(4711);
      PERFORM set_config('search_path', 'elsewhere', false), set_config('lock_timeout', '77', false),
              set_config('default_transaction_read_only', 'off', false);
      EXECUTE 'LISTEN news';
      IF prepares THEN EXECUTE 'PREPARE leftover AS SELECT 1'; END IF;
      PERFORM set_config('role', 'pg_monitor', false);
      RETURN 'done'; END $$`);
    const look = `SELECT current_user, current_setting('lock_timeout'), current_schema(),
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
      (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels())`;
    const before = await ask(database, look);
    const soiled = await ask(database, `SELECT soil(${prepares})`, { concurrency: 1 });
    expect(soiled.rows.map(([, answer]) => answer)).toEqual(['done', 'done']);
    expect((await ask(database, look, { concurrency: 1 })).rows).toEqual(before.rows);
    expect(before.rows[0]?.slice(4)).toEqual(['0', '0', '0']);
  },
);

test('one tenant fails, the others answer; none waits for the lock of a migration', async () => {
  const { database, query, testDatabase } = await createFleet(['org_a', 'org_b', 'org_c']);
  await query(`DROP TABLE ${schemaNameFor('org_b')}.notes`);
  await holdLock(testDatabase, `tenant:${schemaNameFor('org_a')}`);
  const { rows, errors, result } = await ask(database, 'SELECT count(*) FROM notes', { retries: 0 });
  expect(rows).toEqual([
    ['org_a', '0'],
    ['org_c', '0'],
  ]);
  expect(errors).toEqual([
    expect.objectContaining({ code: 'DATABASE_ERROR', sqlstate: '42P01', tenant: 'org_b' }),
  ]);
  expect(result.totals).toMatchObject({ answered: 2, failed: 1 });
});

test('many rows come in pages that fit in memory, one tenant after the other', async () => {
  const { database } = await createFleet(['org_a', 'org_b', 'org_c']);
  const many = await ask(database, 'SELECT g FROM generate_series(1, 20000) g');
  expect(many.result.totals.rows).toBe(60_000);
  expect(new Set(many.pages.map(({ columns }) => columns.map(({ name }) => name).join()))).toEqual(
    new Set(['g']),
  );
  expect(Math.max(...many.pages.map(({ rows }) => rows.length))).toBe(500);
  const tenants = many.pages.map(({ tenant }) => tenant.clerkOrgId);
  expect(tenants.filter((tenant, at) => tenant !== tenants[at - 1])).toHaveLength(3);
  const numbers = many.pages
    .filter(({ tenant }) => tenant.clerkOrgId === 'org_b')
    .flatMap(({ rows }) => rows);
  expect(numbers.map(([number]) => Number(number))).toEqual(
    Array.from({ length: 20_000 }, (_, at) => at + 1),
  );

  const wide = await ask(database, `SELECT repeat('x', 100000) FROM generate_series(1, 120)`);
  expect(wide.pages.slice(1).every(({ rows }) => rows.length <= 50)).toBe(true);
  expect(wide.result.totals.rows).toBe(360);
});

test('the next page is not fetched before the last one was taken', async () => {
  const { database, query } = await createFleet(['org_a']);
  const seen: number[] = [];
  const states: unknown[] = [];
  await ask(database, 'SELECT g FROM generate_series(1, 2000) g', {
    async onRows({ rows }) {
      seen.push(rows.length);
      if (seen.length !== 2) return;
      states.push(
        ...(await query(
          `SELECT state FROM pg_stat_activity WHERE application_name = 'tenantctl' AND query LIKE '%generate_series%'`,
        )),
      );
    },
  });
  expect(states).toEqual([{ state: 'idle in transaction' }]);
  expect(seen.reduce((sum, rows) => sum + rows, 0)).toBe(2_000);
});

test('a statement timeout is one tenant’s failure, and its session is used again', async () => {
  const { database } = await createFleet(['org_a', 'org_b']);
  const slow = `SELECT CASE WHEN current_schema() = '${schemaNameFor('org_a')}' THEN pg_sleep(60) END`;
  const { errors, rows } = await ask(database, slow, { statementTimeoutMs: 200 });
  expect(errors).toEqual([expect.objectContaining({ sqlstate: '57014', tenant: 'org_a' })]);
  expect(rows.map(([organization]) => organization)).toEqual(['org_b']);
});

test('after a lost connection a tenant is asked again, unless rows of it were handed over', async () => {
  const fleet = await createFleet(['org_a']);
  const proxy = await cuttingProxy(fleet.testDatabase.settings);
  const database = await openDatabase(proxy.settings, { maxConnections: 3 });
  try {
    proxy.cutAfter('SELECT 41', 'SELECT 1');
    const { rows } = await ask(database, 'SELECT 41');
    expect(rows).toEqual([['org_a', '41']]);

    proxy.cutAfter('generate_series', 'SELECT 1');
    let pages = 0;
    const partly = await ask(database, 'SELECT g FROM generate_series(1, 3000) g', {
      async onRows() {
        pages += 1;
        if (pages === 2)
          await fleet.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantctl' AND state = 'idle in transaction' AND query LIKE '%generate_series%'`,
          );
      },
    });
    expect(partly.errors).toHaveLength(1);
    expect(partly.result.tenants[0]).toMatchObject({ outcome: 'failed' });
    expect(pages).toBe(2);
    expect(proxy.cuts).toBe(2);
  } finally {
    await database.close();
  }
});

test('a tenant whose connection is lost before its turn is asked again, and hands over its rows once', async () => {
  const { database, query } = await createFleet(['org_a', 'org_b']);
  const counts = new Map([
    ['org_a', 0],
    ['org_b', 0],
  ]);
  let isFirst = true;
  const { totals } = await queryTenants(database, {
    sql: 'SELECT g, pg_backend_pid() FROM generate_series(1, 120) g',
    concurrency: 2,
    async onRows({ tenant, rows }) {
      counts.set(tenant.clerkOrgId, (counts.get(tenant.clerkOrgId) ?? 0) + rows.length);
      if (!isFirst) return;
      isFirst = false;
      const waiting = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantctl' AND state = 'idle in transaction'
        AND query LIKE '%generate_series%' AND pid <> ${rows[0]?.[1]}`;
      await expect.poll(() => query(`SELECT pid ${waiting}`)).toHaveLength(1);
      await query(`SELECT pg_terminate_backend(pid) ${waiting}`);
      await expect.poll(() => query(`SELECT pid ${waiting}`)).toHaveLength(0);
    },
  });
  expect(totals).toMatchObject({ answered: 2, rows: 240 });
  expect([...counts.values()]).toEqual([120, 120]);
});

test('a tenant fails whose rows are not taken; an aborted signal skips the rest', async () => {
  const { database } = await createFleet(['org_a', 'org_b', 'org_c']);
  const { result, errors } = await ask(database, 'SELECT g FROM generate_series(1, 3000) g', {
    onRows({ tenant }) {
      if (tenant.clerkOrgId === 'org_a') throw new Error('no room');
    },
  });
  expect(errors).toEqual([expect.objectContaining({ message: 'no room', tenant: 'org_a' })]);
  expect(result.totals).toMatchObject({ answered: 2, failed: 1 });

  const stop = new AbortController();
  const stopped = await ask(database, 'SELECT 1', {
    concurrency: 1,
    signal: stop.signal,
    onRows: () => stop.abort(),
  });
  expect(stopped.result).toMatchObject({ interrupted: true, totals: { answered: 1, skipped: 2 } });
});

test('calls have their turn as a whole: when time runs out, a call is refused and none is half answered', async () => {
  const { testDatabase } = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  const database = await openDatabase(testDatabase.settings, { maxConnections: 2, waitTimeoutMs: 1_000 });
  onTestFinished(() => database.close());
  const calls = await Promise.allSettled(
    Array.from({ length: 20 }, () => ask(database, 'SELECT pg_sleep(0.05)')),
  );
  const answered = calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value.result] : []));
  expect(answered.length).toBeGreaterThan(0);
  for (const { totals } of answered) expect(totals).toMatchObject({ answered: 4, failed: 0 });
  const refused = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason as unknown] : []));
  for (const error of refused) expect(error).toMatchObject({ code: 'POOL_EXHAUSTED' });
});

test('closing the database ends the call', async () => {
  const { database, query } = await createFleet(['org_a', 'org_b'], { maxConnections: 3 });
  const call = ask(database, 'SELECT pg_sleep(600)').catch((error: unknown) => error);
  const atWork = `SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)'`;
  await until(async () => (await query(atWork)).length === 1, 'the query to be at work');
  await database.close();
  expect(await call).toMatchObject({ code: 'DATABASE_CLOSED' });
});

test('values are what PostgreSQL prints, and become JSON without loss', async () => {
  const { database } = await createFleet(['org_a']);
  const expected: Readonly<Record<string, [text: string | null, json: string]>> = {
    true: ['t', 'true'],
    '42': ['42', '42'],
    '9007199254740993::int8': ['9007199254740993', '"9007199254740993"'],
    '7::int8': ['7', '7'],
    '12.50::numeric': ['12.50', '"12.50"'],
    '0.1::float8': ['0.1', '0.1'],
    "'NaN'::float8": ['NaN', '"NaN"'],
    "'\\x00ff'::bytea": ['\\x00ff', '"\\\\x00ff"'],
    "'2026-01-02'::date": ['2026-01-02', '"2026-01-02"'],
    "'2026-01-02 03:04:05.678901+00'::timestamptz AT TIME ZONE 'UTC'": [
      '2026-01-02 03:04:05.678901',
      '"2026-01-02 03:04:05.678901"',
    ],
    '\'{"a": 12345678901234567890.10,\n "b": "x\\n"}\'::json': [
      '{"a": 12345678901234567890.10,\n "b": "x\\n"}',
      '{"a": 12345678901234567890.10,  "b": "x\\n"}'.replace('  ', '  '),
    ],
    'ARRAY[1, NULL, 3]': ['{1,NULL,3}', '[1,null,3]'],
    'ARRAY[ARRAY[1], ARRAY[9007199254740993]]': ['{{1},{9007199254740993}}', '[[1],["9007199254740993"]]'],
    "ARRAY['a \"quoted\"', 'NULL', '']": ['{"a \\"quoted\\"","NULL",""}', '["a \\"quoted\\"","NULL",""]'],
    'ARRAY[\'{"a":[1]}\'::jsonb]': ['{"{\\"a\\": [1]}"}', '[{"a": [1]}]'],
    "ROW(1, 'x')": ['(1,x)', '"(1,x)"'],
    "''::text": ['', '""'],
    'NULL::int': [null, 'null'],
  };
  const sql = `SELECT ${Object.keys(expected).join(', ')}`;
  const { pages } = await ask(database, sql);
  const [{ columns, rows }] = pages as [TenantRows];
  const [row = []] = rows;
  const found = columns.map(({ type }, at) => [row[at] ?? null, jsonValue(type, row[at] ?? null)]);
  expect(Object.fromEntries(Object.keys(expected).map((text, at) => [text, found[at]]))).toEqual(expected);
});

test('the embedded database answers, too', async () => {
  const embedded = await createEmbeddedDatabase();
  const database = await embedded.open();
  await database.query(
    `CREATE TABLE tenants AS SELECT 'org_a' AS clerk_org_id, 'tid_a' AS schema_name, 'ACTIVE' AS status`,
  );
  await database.query(
    'CREATE SCHEMA tid_a; CREATE TABLE tid_a.notes AS SELECT generate_series(1, 700) AS id',
  );
  const { result, rows } = await ask(database, 'SELECT id FROM notes');
  expect(result.totals).toMatchObject({ answered: 1, rows: 700 });
  expect(rows).toHaveLength(700);
});

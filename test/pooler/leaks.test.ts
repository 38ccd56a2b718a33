import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { queryTenants } from '../../src/core/query/query-tenants.ts';
import { createPooledFleet, type PooledFleet } from '../support/pooled-fleet.ts';

const SIX = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e', 'org_f'];

/** The next statement of a client goes to another connection, not to the one that it has just had. */
const POOL = { size: 4, lines: ['server_round_robin = 1'] };

/** All that a migration can leave to the session that it runs in. */
const LEAVES_ALL = `
SET search_path TO pg_catalog;
SET statement_timeout = '1h';
SELECT set_config('tenantctl_test.left', 'over', false);
CREATE TEMP TABLE left_over (id int);
SELECT pg_advisory_lock(4712);
PREPARE left_over AS SELECT 1;
LISTEN left_over;
DECLARE left_over CURSOR WITH HOLD FOR SELECT 1;
CREATE SEQUENCE pg_temp.numbers;
SELECT nextval('pg_temp.numbers');
`;

/** A transaction that fails when it is committed, and not before. */
const FAILS_AT_COMMIT = `
CREATE TABLE pairs (id int PRIMARY KEY, other int REFERENCES pairs DEFERRABLE INITIALLY DEFERRED);
INSERT INTO pairs VALUES (1, 2);
`;

/** What is left in each of the pooler's server connections: all of them are taken at once, to see each. */
async function leftIn({ pooler }: PooledFleet) {
  const { size } = POOL;
  const clients = Array.from({ length: size }, () => new Client({ connectionString: pooler.url }));
  onTestFinished(async () => {
    for (const client of clients) await client.end();
  });
  const pids = new Set<number>();
  const left: unknown[] = [];
  for (const client of clients) {
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pg_backend_pid() AS pid, current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout,
              nullif(current_setting('tenantctl_test.left', true), '') AS setting,
              to_regclass('pg_temp.left_over')::text AS temporary,
              (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
              (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
              (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors,
              (SELECT count(*)::int FROM pg_listening_channels()) AS channels`,
    );
    for (const { pid, ...row } of rows) {
      pids.add(pid);
      left.push(row);
    }
  }
  expect(pids.size).toBe(size);
  return left;
}

const NOTHING = {
  path: '"$user", public',
  timeout: '0',
  setting: null,
  temporary: null,
  locks: 0,
  prepared: 0,
  cursors: 0,
  channels: 0,
};

const ENDINGS = {
  'is committed': LEAVES_ALL,
  'fails in its middle': `${LEAVES_ALL}SELECT 1/0;`,
  'fails at its end': `${FAILS_AT_COMMIT}${LEAVES_ALL}`,
} as const;

describe('a connection goes to the next client of PgBouncer as it came', () => {
  test.for(
    (['is committed', 'fails in its middle', 'fails at its end'] as const).flatMap((ending) =>
      ([true, false] as const).map((compile) => ({ ending, compile })),
    ),
  )('after a transaction that %o', async ({ ending, compile }) => {
    const fleet = await createPooledFleet(SIX, POOL);
    await fleet.add('3_leaves.sql', `-- migrate:up${ENDINGS[ending]}`);
    const result = await fleet.migrate({ compile, concurrency: 4, retries: 0 });
    expect(result.totals).toMatchObject(ending === 'is committed' ? { changed: 6 } : { failed: 6 });
    expect(await leftIn(fleet)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING]);
  });

  test('after a compiled transaction that fails for some tenants only', async () => {
    const fleet = await createPooledFleet(SIX, POOL);
    // The first two are well, and what the first was sent goes to the others as one string.
    await fleet.query(
      `INSERT INTO ${(await schemas(fleet))
        .slice(2)
        .map((schema) => `${schema}.notes VALUES (7)`)
        .join('; INSERT INTO ')}`,
    );
    await fleet.add(
      '3_leaves.sql',
      `-- migrate:up
         CREATE TABLE pairs (id int REFERENCES notes DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO pairs SELECT id + 1 FROM notes;
         ${LEAVES_ALL}`,
    );
    const result = await fleet.migrate({ concurrency: 4, retries: 0 });
    expect(result.totals).toMatchObject({ changed: 2, failed: 4 });
    expect(result.tenants.at(-1)?.error).toMatchObject({ sqlstate: '23503' });
    expect(await leftIn(fleet)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING]);
  });

  test('after a transaction that takes too long', async () => {
    const fleet = await createPooledFleet(SIX, POOL);
    const slow = LEAVES_ALL.replace(/SET statement_timeout.*/, '');
    await fleet.add('3_leaves.sql', `-- migrate:up\n${slow}\nSELECT pg_sleep(30);`);
    const result = await fleet.migrate({ concurrency: 2, statementTimeoutMs: 200, retries: 0 });
    expect(result.totals).toMatchObject({ failed: 6 });
    expect(await leftIn(fleet)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING]);
  });
});

async function schemas(fleet: PooledFleet): Promise<string[]> {
  const rows = await fleet.query<{ name: string }>(
    'SELECT schema_name AS name FROM public.tenants ORDER BY clerk_org_id',
  );
  return rows.map(({ name }) => name);
}

test('a query of exec leaves nothing in the connections of the pooler, and large answers come in pages', async () => {
  const fleet = await createPooledFleet(SIX, POOL);
  await fleet.query(`CREATE FUNCTION public.soil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_lock(4712), set_config('statement_timeout', '77000', false);
    EXECUTE 'PREPARE left_over AS SELECT 1';
    EXECUTE 'LISTEN left_over';
    RETURN 1; END $$`);
  let rows = 0;
  const { totals } = await queryTenants(fleet.database, {
    sql: 'SELECT soil()',
    onRows: (page) => void (rows += page.rows.length),
  });
  expect({ totals, rows }).toMatchObject({ totals: { answered: 6, failed: 0 }, rows: 6 });
  const many = await queryTenants(fleet.database, {
    sql: 'SELECT g FROM generate_series(1, 2000) g',
    onRows() {},
  });
  expect(many.totals).toMatchObject({ answered: 6, rows: 12_000 });
  expect(await leftIn(fleet)).toEqual([NOTHING, NOTHING, NOTHING, NOTHING]);
});

import { expect, test } from 'vitest';
import { backfillTenants } from '../../../src/core/commands/backfill-tenants.ts';
import { readRun } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/gate.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

/** A fleet whose tenants have this many rows to fill in. */
async function unfilledFleet(rows: number): Promise<TestFleet> {
  const fleet = await createFleet(ORGANIZATIONS);
  for (const organization of ORGANIZATIONS)
    await fleet.query(
      `CREATE TABLE ${schemaNameFor(organization)}.words AS SELECT n AS id, NULL::text AS text FROM generate_series(1, ${rows}) AS n`,
    );
  return fleet;
}

const FILL = "UPDATE words SET text = 'x' WHERE id IN (SELECT id FROM words WHERE text IS NULL LIMIT 10)";

async function unfilled(fleet: TestFleet, organization: string): Promise<number> {
  const [row] = await fleet.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM ${schemaNameFor(organization)}.words WHERE text IS NULL`,
  );
  return row?.n ?? -1;
}

test('a batch is repeated in each tenant until it changes no rows, by its command tag or the number that it returns', async () => {
  const fleet = await unfilledFleet(25);
  const { database } = fleet;
  const result = await backfillTenants(database, { sql: FILL });
  expect(result).toMatchObject({ totals: { selected: 3, changed: 3, failed: 0, rows: 75, batches: 9 } });
  expect(result.tenants[0]).toMatchObject({ outcome: 'written', rows: 25, batches: 3 });
  for (const organization of ORGANIZATIONS) expect(await unfilled(fleet, organization)).toBe(0);
  expect(await readRun(database, result.run ?? 0)).toMatchObject({
    options: { batch: true },
    totals: { changed: 3, rows: 75 },
  });

  const returning = `SET LOCAL work_mem = '8MB'; WITH gone AS (DELETE FROM words WHERE id IN (SELECT id FROM words LIMIT 10) RETURNING 1) SELECT count(*) FROM gone`;
  expect(await backfillTenants(database, { sql: returning })).toMatchObject({
    totals: { changed: 3, rows: 75, batches: 9 },
  });
  for (const sql of ['CREATE TABLE more ()', 'DELETE FROM words; ANALYZE words'])
    await expect(backfillTenants(database, { sql })).rejects.toMatchObject({ code: 'USAGE' });
  for (const sql of ['SELECT 1', 'SELECT count(*) FROM words WHERE text IS NULL'])
    await expect(backfillTenants(database, { sql })).rejects.toMatchObject({
      message: 'The batch only reads.',
    });
  const summed = `WITH gone AS (DELETE FROM words RETURNING 1 AS one) SELECT sum(one) FROM gone`;
  expect(await backfillTenants(database, { sql: summed, tenants: ['org_a'] })).toMatchObject({
    totals: { changed: 1, rows: 0 },
  });
  for (const sql of [
    "SELECT lower('T')",
    'SELECT abs(1), 2',
    'SELECT abs(id) FROM words',
    'SELECT -abs(1)',
    'SELECT pg_sleep(0)',
    'SELECT now()',
  ]) {
    const { tenants } = await backfillTenants(database, { sql, tenants: ['org_a'] });
    expect(tenants).toMatchObject([
      { outcome: 'failed', batches: 0, error: { message: 'The batch did not return one number.' } },
    ]);
  }
});

test('a batch that always changes the same rows is warned of, and fails at the limit', async () => {
  const { database } = await unfilledFleet(5);
  const warnings: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'warning') warnings.push(event.message);
  };
  const same = "UPDATE words SET text = 'x' WHERE id IN (SELECT id FROM words LIMIT 5)";
  const result = await backfillTenants(database, { sql: same, maxBatches: 7, observe });
  expect(warnings).toEqual([expect.stringContaining('sets text, and no condition names it')]);
  expect(result.totals).toMatchObject({ failed: 3, rows: 105, batches: 21 });
  expect(result.tenants[0]?.error).toMatchObject({
    code: 'BATCH_LIMIT',
    message: 'After 7 batches, which changed 35 rows, there is more to do.',
  });
  await backfillTenants(database, { sql: FILL, observe });
  expect(warnings).toHaveLength(1);
});

test('each batch has the retries of a run, and the rate holds for all tenants together', async () => {
  const fleet = await unfilledFleet(3);
  const { database, query } = fleet;
  await query(`CREATE SEQUENCE public.tries; GRANT ALL ON public.tries TO PUBLIC`);
  await query(`CREATE FUNCTION public.flaky() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('public.tries') % 3 <> 0 THEN RAISE 'in the way' USING ERRCODE = '40001'; END IF; RETURN 1; END $$`);
  const flaky =
    "UPDATE words SET text = 'x' WHERE id = (SELECT min(id) FROM words WHERE text IS NULL AND (SELECT public.flaky()) = 1)";
  const result = await backfillTenants(database, { sql: flaky, retries: 2, tenants: ['org_a'] });

  expect(result.tenants).toMatchObject([{ outcome: 'written', rows: 3, batches: 3 }]);

  const started = performance.now();
  await backfillTenants(database, { sql: FILL, rowsPerSecond: 10, tenants: ['org_b', 'org_c'] });
  expect(performance.now() - started).toBeGreaterThan(500);
});

test('a migration comes in between two batches, and a run that was stopped is continued without its finished tenants', async () => {
  const fleet = await unfilledFleet(100_000);
  const { database } = fleet;
  await fleet.query(`UPDATE ${schemaNameFor('org_c')}.words SET text = 'x'`);
  const one = "UPDATE words SET text = 'x' WHERE id = (SELECT id FROM words WHERE text IS NULL LIMIT 1)";
  const stop = new AbortController();
  const backfilling = backfillTenants(database, { sql: one, signal: stop.signal });
  await until(async () => (await unfilled(fleet, 'org_a')) < 100_000, 'the first batch');
  await fleet.add('3_more.sql', '-- migrate:up\nCREATE TABLE more ();');
  const migrated = await fleet.migrate();
  expect(migrated.totals).toMatchObject({ changed: 3, failed: 0 });
  expect(stop.signal.aborted).toBe(false);
  stop.abort();
  const stopped = await backfilling;
  expect(stopped).toMatchObject({ interrupted: true, totals: { changed: 1, skipped: 2 } });
  expect(stopped.tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_c')).toMatchObject({
    outcome: 'written',
  });
  const left = await unfilled(fleet, 'org_a');
  expect(left).toBe(100_000 - (stopped.tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_a')?.rows ?? 0));

  const rest = await backfillTenants(database, { sql: FILL.replace('10', '90000'), resume: stopped.run });
  expect(rest.totals).toMatchObject({ selected: 3, changed: 2, upToDate: 1 });
  expect(await unfilled(fleet, 'org_a')).toBe(0);
});

test('a pause stands between any two batches of a tenant', async () => {
  const { database, query } = await unfilledFleet(30);
  const schema = schemaNameFor('org_a');
  await query(`ALTER TABLE ${schema}.words ADD at timestamptz`);
  const stamped = FILL.replace("text = 'x'", "text = 'x', at = transaction_timestamp()");
  await backfillTenants(database, { sql: stamped, batchPauseMs: 200, tenants: ['org_a'] });
  const gaps = await query<{ ms: number }>(
    `SELECT extract(milliseconds FROM at - lag(at) OVER (ORDER BY at))::int AS ms FROM (SELECT DISTINCT at FROM ${schema}.words) w ORDER BY at OFFSET 1`,
  );
  expect(gaps).toHaveLength(2);
  // The server rounds, and a timer may be a millisecond early.
  for (const { ms } of gaps) expect(ms).toBeGreaterThanOrEqual(198);
});

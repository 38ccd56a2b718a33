import { expect, test } from 'vitest';
import { rehearseWrite } from '../../../src/core/commands/rehearse-data-change.ts';
import { writeTenants } from '../../../src/core/commands/write-tenants.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** "org_a: 1, 2" for each tenant, from its own table. */
async function notesOf(fleet: TestFleet): Promise<string[]> {
  const all: string[] = [];
  for (const organization of ORGANIZATIONS) {
    const rows = await fleet.query<{ id: number }>(
      `SELECT id FROM ${schemaNameFor(organization)}.notes ORDER BY 1`,
    );
    all.push(`${organization}: ${rows.map(({ id }) => id).join(', ')}`);
  }
  return all;
}

test('SQL runs once in each selected tenant; the ledger knows it, and neither the history nor the status does', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { database } = fleet;
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_e'`);
  const before = [await fleet.history('org_a'), await fleet.history('org_c')];
  const sql = "INSERT INTO notes VALUES (1);\nINSERT INTO notes VALUES (2) -- password = 'hunter2'";

  const rehearsed = await rehearseWrite(database, { sql });
  expect(rehearsed.plans).toMatchObject([
    {
      targets: ORGANIZATIONS.slice(0, 4).map((clerkOrgId) => ({ clerkOrgId })),
      migrations: [{ statements: [sql.replace('hunter2', '***')] }],
    },
  ]);
  expect(await notesOf(fleet)).toEqual(ORGANIZATIONS.map((organization) => `${organization}: `));

  const events: RunEvent[] = [];
  const result = await writeTenants(database, { sql, observe: (event) => void events.push(event) });
  expect(result).toMatchObject({
    totals: { selected: 4, changed: 4, upToDate: 0, failed: 0, skipped: 0 },
    notActive: { SUSPENDED: 1 },
  });
  expect(await notesOf(fleet)).toEqual([
    'org_a: 1, 2',
    'org_b: 1, 2',
    'org_c: 1, 2',
    'org_d: 1, 2',
    'org_e: ',
  ]);
  expect([await fleet.history('org_a'), await fleet.history('org_c')]).toEqual(before);
  expect(await fleet.status()).toMatchObject({ tenants: { upToDate: 4, failed: 0, behind: 0 } });
  const run = await readRun(database, result.run ?? 0);
  expect(run).toMatchObject({ command: 'exec', outcome: 'done', planned: [] });
  expect(JSON.stringify(run)).not.toContain('hunter2');
  expect(run.options).toMatchObject({
    sql: expect.stringMatching(/^INSERT INTO notes VALUES \(1\); INSERT/),
  });
  const entries = await readRunTenants(database, run.id, { onlyFailed: false });
  expect(entries.map(({ outcome }) => outcome)).toEqual(['written', 'written', 'written', 'written']);

  const suspended = await writeTenants(database, { sql: 'DELETE FROM notes', include: ['SUSPENDED'] });
  expect(suspended.totals).toMatchObject({ selected: 5, changed: 5 });
});

test('SQL keeps to its tenant, unless it says what it reaches; what is no script is refused before anything is sent', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { database } = fleet;
  await fleet.query('CREATE TABLE public.countries (code text)');
  const other = schemaNameFor('org_b');
  const refused = await writeTenants(database, {
    sql: `DELETE FROM ${other}.notes`,
    tenants: ['org_a', 'org_c'],
  });
  expect(refused.tenants.map(({ error }) => error?.code)).toEqual(Array(2).fill('MIGRATION_OUTSIDE_SCHEMA'));

  const alter = 'ALTER TABLE public.countries ADD COLUMN IF NOT EXISTS name text';
  const outside = await writeTenants(database, { sql: alter });
  expect(outside.totals).toMatchObject({ failed: 5 });
  expect(outside.tenants[0]?.error?.hint).toMatch(/ says so: --allow-outside public\.countries$/);
  const allowed = await writeTenants(database, { sql: alter, allowOutside: ['public.countries'] });
  expect(allowed.totals).toMatchObject({ changed: 5 });

  for (const [sql, message] of [
    ['', /empty/],
    ['DELETE FORM notes', /does not parse/],
    ['INSERT INTO notes VALUES (1); VACUUM notes', /cannot run in a transaction: VACUUM notes$/],
    ['CREATE INDEX CONCURRENTLY i ON notes (id)', /cannot run in a transaction/],
    ['-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2', /it is a migration/],
  ] as const)
    await expect(writeTenants(database, { sql })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message),
    });
  const committed = await writeTenants(database, { sql: 'INSERT INTO notes VALUES (1); COMMIT' });
  expect(committed.totals).toMatchObject({ failed: 5 });
  expect(await notesOf(fleet)).toEqual(ORGANIZATIONS.map((organization) => `${organization}: `));
});

test('a run is continued where it has not written, once, and its failures are none of the migrations', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { database } = fleet;
  await fleet.query(`ALTER TABLE ${schemaNameFor('org_b')}.notes ADD CHECK (id > 5)`);
  const sql = 'INSERT INTO notes VALUES (1)';
  const first = await writeTenants(database, {
    sql,
    rollout: { canary: { tenants: ['org_a'] }, maxFailures: { count: 0 } },
    concurrency: 1,
  });
  expect(first).toMatchObject({
    totals: { changed: 1, failed: 1, skipped: 3 },
    rollout: { stopped: { failed: 1 } },
  });
  expect(await fleet.status()).toMatchObject({ tenants: { upToDate: 5, failed: 0 } });

  await fleet.query(
    `DELETE FROM ${schemaNameFor('org_b')}.notes; ALTER TABLE ${schemaNameFor('org_b')}.notes DROP CONSTRAINT notes_id_check`,
  );
  const dry = await rehearseWrite(database, { sql, resume: 'latest' });
  expect(dry.plans[0]?.targets).toHaveLength(4);
  const second = await writeTenants(database, {
    sql,
    resume: 'latest',
    tenants: ['org_a', 'org_b', 'org_c'],
  });
  expect(second.totals).toMatchObject({ selected: 3, upToDate: 1, changed: 2 });
  const again = writeTenants(database, { sql, resume: first.run });
  await expect(again).rejects.toMatchObject({
    code: 'RUN_UNKNOWN',
    hint: expect.stringContaining(`--resume ${second.run}`),
  });
  const third = await writeTenants(database, { sql, resume: second.run });
  expect(third.totals).toMatchObject({ selected: 5, upToDate: 3, changed: 2 });
  expect(await notesOf(fleet)).toEqual(ORGANIZATIONS.map((organization) => `${organization}: 1`));

  const warnings: RunEvent[] = [];
  const other = {
    sql: 'SELECT 2',
    resume: third.run,
    observe: (event: RunEvent) => void warnings.push(event),
  };
  expect((await writeTenants(database, other)).totals).toMatchObject({ upToDate: 5, changed: 0 });
  expect(warnings).toContainEqual(
    expect.objectContaining({ type: 'warning', message: expect.stringContaining('not that of run') }),
  );
});

test('a run whose successor was killed before it took over is closed by the next one', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { database } = fleet;
  const sql = 'INSERT INTO notes VALUES (1)';
  const [first, second] = [
    await writeTenants(database, { sql, tenants: ['org_a'] }),
    await writeTenants(database, { sql, tenants: ['org_b'] }),
  ];
  // As two kills leave it.
  await fleet.query(
    `UPDATE tenantctl.runs SET ended_at = NULL, outcome = NULL, options = options || CASE id WHEN ${second.run} THEN '{"resumes": [${first.run}]}' ELSE '{}' END::jsonb WHERE id IN (${first.run}, ${second.run})`,
  );
  const third = await writeTenants(database, { sql, resume: second.run });
  expect(third.totals).toMatchObject({ upToDate: 2, changed: 3 });
  const open = `SELECT FROM tenantctl.runs WHERE ended_at IS NULL OR NOT options ? 'continuedBy'`;
  expect(await fleet.query(`${open} AND id IN (${first.run}, ${second.run})`)).toEqual([]);
});

test('SQL that drops the schema or the history of its tenant is rolled back', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { database } = fleet;
  const schema = schemaNameFor('org_a');
  for (const sql of [`DROP SCHEMA ${schema} CASCADE`, 'DROP TABLE knex_migrations_tenant']) {
    const { tenants } = await writeTenants(database, { sql, tenants: ['org_a'] });
    const sqlstate = expect.stringMatching(/^(?:42P01|3F000)$/);
    expect(tenants).toMatchObject([{ outcome: 'failed', error: { sqlstate } }]);
  }
  expect(await fleet.status()).toMatchObject({ tenants: { upToDate: 5 } });
});

test('the newest run is the newest with this SQL', async () => {
  const { database } = await createFleet(ORGANIZATIONS);
  const sql = 'INSERT INTO notes VALUES (1)';
  await writeTenants(database, { sql, tenants: ['org_a'] });
  await writeTenants(database, { sql: 'SELECT 1' });
  const rest = await writeTenants(database, { sql, resume: 'latest' });
  expect(rest.totals).toMatchObject({ upToDate: 1, changed: 4 });
  const unknown = { sql: 'SELECT 2', resume: 'latest' } as const;
  for (const call of [writeTenants, rehearseWrite])
    await expect(call(database, unknown)).rejects.toMatchObject({
      code: 'RUN_UNKNOWN',
      hint: expect.stringContaining('without --resume'),
    });
});

test('a check looks at what was written, and marks no tenant as failed', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const check = { name: 'few.sql', query: 'SELECT count(*) < 1 FROM notes' };
  const rollout = { canary: { count: 1 }, check };
  const result = await writeTenants(fleet.database, { sql: 'INSERT INTO notes VALUES (1)', rollout });
  expect(result).toMatchObject({ totals: { failed: 1, skipped: 4 }, rollout: { refused: 1 } });
  expect(result.tenants.find(({ outcome }) => outcome === 'failed')?.error).toMatchObject({
    code: 'CHECK_REFUSED',
    hint: expect.stringMatching(/^What was written in the tenant stays/),
  });
  expect(await fleet.status()).toMatchObject({ tenants: { upToDate: 5, failed: 0 } });
});

test('a COMMIT whose answer is lost is not repeated', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  // Statement by statement, and in the string for the third tenant.
  for (const [sent, value] of [
    [`, 'written', `, 1],
    ['tenantctl.stay_within(', 2],
  ] as const) {
    const proxy = await cuttingProxy(fleet.testDatabase.settings);
    const database = await openDatabase(proxy.settings, { maxConnections: 3 });
    proxy.cutAfter(sent, 'COMMIT');
    const result = await writeTenants(database, {
      sql: `INSERT INTO notes VALUES (${value})`,
      concurrency: 1,
    });
    await database.close();
    expect([proxy.cuts, result.totals]).toEqual([1, expect.objectContaining({ changed: 5, failed: 0 })]);
  }
  expect(await notesOf(fleet)).toEqual(ORGANIZATIONS.map((organization) => `${organization}: 1, 2`));
});

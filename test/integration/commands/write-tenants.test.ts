import { expect, test } from 'vitest';
import { rehearseWrite } from '../../../src/core/commands/rehearse-write.ts';
import { writeTenants } from '../../../src/core/commands/write-tenants.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
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

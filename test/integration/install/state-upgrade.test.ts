import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { prepareState, readState } from '../../../src/core/install/state-schema.ts';
import { STATE_VERSION } from '../../../src/core/install/state-schema.ts';
import { failedInRun } from '../../../src/core/ledger/failed-in-run.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { readUndoOfRun } from '../../../src/core/ledger/undo-of-run.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { silent } from '../../../src/core/report/event.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createProject, createTable } from '../../support/project.ts';

const PROJECT = {
  'package.json': '{"type":"module"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/tenants/1_notes.sql': createTable('notes'),
  'migrations/tenants/2_tags.sql': createTable('tags'),
  'migrations/tenants/3_links.sql': createTable('links'),
  'migrations/tenants/4_slow.sql': '-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 1;',
};

/** The database of test/fixtures/state, where version 7 believes the stamps of these organizations. */
async function atVersion7(...stamped: string[]): Promise<TestFleet> {
  const testDatabase = await createDatabase();
  const fixture = new URL('../../fixtures/state/version-7.sql', import.meta.url);
  await testDatabase.query(await readFile(fixture, 'utf8'));
  for (const id of stamped) await testDatabase.query(`SELECT tenantctl.stamp('${schemaNameFor(id)}')`);
  return fleetOn(testDatabase, await testDatabase.open(), await createProject(PROJECT));
}

/** What status says of each tenant of which it says anything. */
async function attention(fleet: TestFleet): Promise<Record<string, string | undefined>> {
  const { states } = await fleet.status();
  return Object.fromEntries(states.map(({ tenant, attention }) => [tenant.clerkOrgId, attention?.code]));
}

const ATTENTION = {
  org_a: 'BEHIND',
  org_b: 'BEHIND',
  org_c: 'FAILED',
  org_d: 'INTERRUPTED',
  org_x: 'FAILED',
};
const TRUSTED = `SELECT n.nspname::text AS schema, digest FROM tenantctl.trusted_stamps s JOIN pg_namespace n ON n.oid = s.schema_oid ORDER BY 1`;

test('what version 7 remembered of each tenant is remembered after the upgrade, by an id of the tenant', async () => {
  const fleet = await atVersion7('org_a', 'org_d', 'org_f');
  await fleet.query('CREATE FUNCTION tenantctl.long_gone() RETURNS int LANGUAGE sql AS $$SELECT 1$$');
  const stamps = await fleet.query(TRUSTED);
  expect(stamps).toHaveLength(3);
  expect(await attention(fleet)).toEqual(ATTENTION);
  const runs = await Promise.all(
    [2, 3, 4, 5].map((run) => readRunTenants(fleet.database, run, { onlyFailed: false })),
  );

  await prepareState(fleet.database, await readState(fleet.database), silent);

  expect(await fleet.query('SELECT max(version) AS version FROM tenantctl.state_version')).toEqual([
    { version: STATE_VERSION },
  ]);
  expect(await fleet.query(`SELECT to_regproc('tenantctl.long_gone') AS gone`)).toEqual([{ gone: null }]);
  expect(
    await fleet.query(
      'SELECT clerk_org_id AS id, schema_name AS schema, gone_at IS NOT NULL AS gone FROM tenantctl.tenants ORDER BY 1',
    ),
  ).toEqual(
    ['a', 'b', 'c', 'd', 'e', 'f', 'x'].map((name) => ({
      id: `org_${name}`,
      schema: schemaNameFor(`org_${name}`),
      gone: name === 'e',
    })),
  );
  expect(await attention(fleet)).toEqual(ATTENTION);
  expect(await fleet.query(TRUSTED)).toEqual(stamps);
  expect(
    await Promise.all([2, 3, 4, 5].map((run) => readRunTenants(fleet.database, run, { onlyFailed: false }))),
  ).toEqual(runs);
  expect((await failedInRun(fleet.database, 3)).schemas).toEqual([schemaNameFor('org_c')]);
  const undo = await readUndoOfRun(fleet.database, 3, false);
  expect(undo.map(({ schema }) => schema).toSorted()).toEqual(
    ['org_a', 'org_b', 'org_d', 'org_f'].map(schemaNameFor).toSorted(),
  );
});

test('a run over a fleet of version 7 upgrades it, and goes on where its migrations were left', async () => {
  const fleet = await atVersion7('org_b');
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 2, failed: 2 });
  expect(resultOf(result, 'org_b').names).toEqual(['3_links.sql', '4_slow.sql']);
  expect(resultOf(result, 'org_d').error).toMatchObject({
    code: 'MIGRATION_INTERRUPTED',
    migration: '4_slow.sql',
  });
  const resolved = await resolveInterrupted(fleet.database, { tenant: 'org_d', answer: 'applied' });
  expect(resolved).toMatchObject({ migration: '4_slow.sql', recorded: true, batch: 3 });
  expect(
    await fleet.query('SELECT run FROM tenantctl.run_tenants WHERE names = $1 AND tenant = $2', [
      ['4_slow.sql'],
      await idOfOrg(fleet, 'org_d'),
    ]),
  ).toEqual([{ run: '6' }]);
  expect(await attention(fleet)).toEqual({ org_c: 'FAILED', org_x: 'FAILED' });
});

async function idOfOrg(fleet: TestFleet, organization: string): Promise<string | undefined> {
  const rows = await fleet.query<{ id: string }>('SELECT id FROM tenantctl.tenants WHERE clerk_org_id = $1', [
    organization,
  ]);
  return rows[0]?.id;
}

test('the upgrade is one transaction: where it fails, version 7 is as it was', async () => {
  const fleet = await atVersion7('org_a');
  // Nothing of the sort is there, but it is what the last statements of the upgrade would meet.
  await fleet.query('CREATE TABLE tenantctl.tenants ()');
  await expect(prepareState(fleet.database, await readState(fleet.database), silent)).rejects.toMatchObject({
    sqlstate: '42P07',
  });
  await fleet.query('DROP TABLE tenantctl.tenants');
  expect(await fleet.query(TRUSTED)).toHaveLength(1);
  expect(await attention(fleet)).toEqual(ATTENTION);
});

test('no routine of tenantctl is compiled just in time, which would take longer than the routine', async () => {
  const fleet = await createFleet(['org_a']);
  const routines = await fleet.query<{ name: string; jit: boolean }>(
    `SELECT proname AS name, 'jit=off' = ANY(proconfig) IS NOT TRUE AS jit FROM pg_proc
     WHERE pronamespace = 'tenantctl'::regnamespace`,
  );
  expect(routines.length).toBeGreaterThan(5);
  expect(routines.filter(({ jit }) => jit)).toEqual([]);
});

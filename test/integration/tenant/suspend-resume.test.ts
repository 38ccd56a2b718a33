import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { resumeTenant, resumeTenants } from '../../../src/core/tenant/resume.ts';
import type { StatusChanges } from '../../../src/core/tenant/status/status-change-result.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { planStatusChange, suspendTenant, suspendTenants } from '../../../src/core/tenant/suspend.ts';
import { DEFAULT_NAMES, type Names } from '../../../src/names.ts';
import { contentOf } from '../../support/catalog.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const LINKS = '20250101000003_links.sql';

const outcomes = ({ tenants }: StatusChanges) =>
  Object.fromEntries(tenants.map(({ clerkOrgId, outcome, error }) => [clerkOrgId, error?.code ?? outcome]));

async function statuses({ query }: TestFleet): Promise<Record<string, string>> {
  const rows = await query<{ id: string; status: string }>('SELECT clerk_org_id AS id, status FROM tenants');
  return Object.fromEntries(rows.map(({ id, status }) => [id, status]));
}

const compare = (a = '', b = '') => (a < b ? -1 : 1);

/** What the channel `tenantctl` has heard. */
async function listen({ testDatabase }: TestFleet): Promise<(string | undefined)[]> {
  const client = new Client({ connectionString: testDatabase.url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  const heard: (string | undefined)[] = [];
  client.on('notification', ({ payload }) => heard.push(payload));
  await client.query('LISTEN tenantctl');
  return heard;
}

const resume = (fleet: TestFleet, ...ids: string[]) =>
  resumeTenants(fleet.database, ids, { folder: fleet.project.tenants, masterFolder: fleet.project.master });

test('tenants are suspended and resumed, as often as one asks; registry, ledger and channel agree', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', "o'rg"]);
  const heard = await listen(fleet);
  await fleet.query(`UPDATE tenants SET updated_at = '2020-01-01'`);

  const suspended = await suspendTenants(fleet.database, ['org_a', schemaNameFor('org_b'), "o'rg"]);
  expect(outcomes(suspended)).toEqual({ org_a: 'suspended', org_b: 'suspended', "o'rg": 'suspended' });
  const after = { org_a: 'SUSPENDED', org_b: 'SUSPENDED', org_c: 'ACTIVE', "o'rg": 'SUSPENDED' };
  expect(await statuses(fleet)).toEqual(after);
  expect(await fleet.query(`SELECT clerk_org_id AS id FROM tenants WHERE updated_at < '2021-01-01'`)).toEqual(
    [{ id: 'org_c' }],
  );
  const { command, outcome, totals } = await readRun(fleet.database, suspended.run ?? 0);
  expect({ command, outcome, totals }).toMatchObject({
    command: 'tenant suspend',
    outcome: 'done',
    totals: { changed: 3, failed: 0 },
  });
  expect(await readRunTenants(fleet.database, suspended.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: "o'rg", outcome: 'suspended' },
    { clerkOrgId: 'org_a', outcome: 'suspended' },
    { clerkOrgId: 'org_b', schema: schemaNameFor('org_b'), outcome: 'suspended' },
  ]);

  const again = await suspendTenants(fleet.database, ['org_a', 'org_c']);
  expect(outcomes(again)).toEqual({ org_a: 'already-suspended', org_c: 'suspended' });
  const resumed = await resume(fleet, 'org_a', 'org_b', 'org_c', "o'rg");
  expect([...new Set(Object.values(outcomes(resumed)))]).toEqual(['resumed']);
  expect(outcomes(await resume(fleet, 'org_a'))).toEqual({ org_a: 'already-active' });
  expect(await readRunTenants(fleet.database, resumed.run ?? 0, { onlyFailed: false })).toHaveLength(4);
  const twice = (ids: readonly string[]) => [...ids, ...ids].toSorted(compare);
  await expect.poll(() => [...heard].toSorted(compare)).toEqual(twice(["o'rg", 'org_a', 'org_b', 'org_c']));
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 4, failed: 0 });
});

test('what cannot be done is refused and leaves everything as it was; other tenants are served', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.query(
    `UPDATE tenants SET status = CASE clerk_org_id WHEN 'org_b' THEN 'FAILED' ELSE 'ARCHIVED' END WHERE clerk_org_id IN ('org_b', 'org_c')`,
  );
  await suspendTenant(fleet.database, 'org_d');
  const before = await contentOf(fleet.testDatabase);
  for (const refusal of [
    refusalOf(suspendTenants(fleet.database, ['org_a', 'org_nope'])),
    refusalOf(resume(fleet, 'org_d', 'org_nope')),
  ])
    expect(await refusal).toMatchObject({ code: 'TENANT_UNKNOWN', tenant: 'org_nope' });
  expect(outcomes(await suspendTenants(fleet.database, []))).toEqual({});
  const planned = await planStatusChange(fleet.database, 'suspend', ['org_a', 'org_b', 'org_d']);
  expect(planned.tasks.map(({ clerkOrgId }) => clerkOrgId)).toEqual(['org_a']);
  expect(planned.results.map(({ outcome }) => outcome)).toEqual(['failed', 'already-suspended']);
  const tables = (lines: readonly string[]) => lines.filter((line) => !line.includes('tenantctl.runs'));
  expect(tables(await contentOf(fleet.testDatabase))).toEqual(tables(before));

  const mixed = await suspendTenants(fleet.database, ['org_a', 'org_b', 'org_c']);
  expect(outcomes(mixed)).toEqual({
    org_a: 'suspended',
    org_b: 'TENANT_NOT_ACTIVE',
    org_c: 'TENANT_NOT_ACTIVE',
  });
  expect(mixed.tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_b')?.error?.hint).toContain(
    'tenantctl tenant provision org_b',
  );
  expect((await readRun(fleet.database, mixed.run ?? 0)).outcome).toBe('failed');
  expect(await refusalOf(suspendTenant(fleet.database, 'org_b'))).toMatchObject({
    code: 'TENANT_NOT_ACTIVE',
  });
  // A command that a tenant's migrations never saw does not make the tenant a failed one.
  expect((await fleet.status()).tenants).toMatchObject({ failed: 1, notActive: 3 });
});

test('a migration at work is waited for, as long as the lock may be waited for', async () => {
  const fleet = await createFleet(['org_a']);
  const lock = await holdLock(fleet.testDatabase, `tenant:${schemaNameFor('org_a')}`);
  expect(await refusalOf(suspendTenant(fleet.database, 'org_a', { lockWaitMs: 200 }))).toMatchObject({
    code: 'LOCK_TIMEOUT',
    tenant: 'org_a',
    retryable: true,
  });
  expect(await statuses(fleet)).toEqual({ org_a: 'ACTIVE' });
  const suspension = suspendTenant(fleet.database, 'org_a');
  await lock.release();
  expect((await suspension).outcome).toBe('suspended');
});

test('on request, a tenant that is not complete or not registered yet is suspended, and no provisioning completes it', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, project, testDatabase, query } = fleet;
  const suspend = (...ids: string[]) =>
    suspendTenants(database, ids, { unfinished: true, lockWaitMs: 60_000 });
  const provision = (...ids: string[]) => provisionTenants(database, ids, { folder: project.tenants });
  await query(`UPDATE tenants SET status = 'FAILED' WHERE clerk_org_id = 'org_b'`);
  expect(outcomes(await suspend('org_new', 'org_a', 'org_b', 'org_new', ' '))).toEqual({
    org_new: 'suspended',
    org_a: 'suspended',
    org_b: 'suspended',
    ' ': 'ORGANIZATION_ID_INVALID',
  });
  expect(outcomes(await suspend('org_new'))).toEqual({ org_new: 'already-suspended' });
  expect(await statuses(fleet)).toEqual({ org_a: 'SUSPENDED', org_b: 'SUSPENDED', org_new: 'SUSPENDED' });
  const refused = await provision('org_new', 'org_b');
  expect(refused.map(({ error }) => error?.code)).toEqual(['TENANT_NOT_ACTIVE', 'TENANT_NOT_ACTIVE']);
  expect(outcomes(await resume(fleet, 'org_new', 'org_b'))).toEqual({
    org_new: 'SCHEMA_MISSING',
    org_b: 'resumed',
  });

  // Registered, and still waiting for its lock: whoever comes first gets it.
  const ids = ['org_1', 'org_2', 'org_3', 'org_4', 'org_5', 'org_6'];
  const locks = await Promise.all(ids.map((id) => holdLock(testDatabase, `tenant:${schemaNameFor(id)}`)));
  const provisioned = provision(...ids);
  await expect.poll(() => query(`SELECT FROM tenants WHERE status = 'PROVISIONING'`)).toHaveLength(6);
  const suspended = suspend(...ids);
  for (const lock of locks) await lock.release();
  expect(new Set(Object.values(outcomes(await suspended)))).toEqual(new Set(['suspended']));
  for (const { outcome, error } of await provisioned)
    expect(['provisioned', 'TENANT_NOT_ACTIVE']).toContain(error?.code ?? outcome);
  expect(await query(`SELECT clerk_org_id AS id FROM tenants WHERE status <> 'SUSPENDED'`)).toEqual([
    { id: 'org_b' },
  ]);
});

test('a tenant is migrated before it is resumed; what fails leaves it SUSPENDED', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await suspendTenants(fleet.database, ['org_a', 'org_b']);
  await fleet.add(LINKS, createTable('links'));
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_b')}.links ()`);
  expect((await fleet.migrate()).totals).toMatchObject({ selected: 1, changed: 1 });

  const resumed = await resume(fleet, 'org_a', 'org_b');
  expect(outcomes(resumed)).toEqual({ org_a: 'resumed', org_b: 'MIGRATION_FAILED' });
  expect(resumed.tenants.map(({ applied }) => applied)).toEqual(expect.arrayContaining([[LINKS], []]));
  expect(await statuses(fleet)).toEqual({ org_a: 'ACTIVE', org_b: 'SUSPENDED', org_c: 'ACTIVE' });
  expect(await fleet.history('org_a')).toContain(`${LINKS}@2`);

  await fleet.query(`DROP TABLE ${schemaNameFor('org_b')}.links`);
  // The guard is the same as for every migration.
  await fleet.add('4_reach.sql', `-- migrate:up\nDROP TABLE ${schemaNameFor('org_c')}.links;`);
  const refusal = await refusalOf(resumeTenant(fleet.database, 'org_b', { folder: fleet.project.tenants }));
  expect(refusal).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA', tenant: 'org_b' });
  expect(await fleet.tables('org_c')).toContain('links');
  await fleet.project.remove('migrations/tenants/4_reach.sql');
  const { outcome, applied } = await resumeTenant(fleet.database, 'org_b', { folder: fleet.project.tenants });
  expect({ outcome, applied }).toEqual({ outcome: 'resumed', applied: [LINKS] });
});

test('SUSPENDED tenants are migrated on request, alone or beside the others, and stay SUSPENDED', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d', 'org_e']);
  await suspendTenants(fleet.database, ['org_b', 'org_c', 'org_d']);
  await fleet.query(`UPDATE tenants SET status = 'ARCHIVED' WHERE clerk_org_id = 'org_e'`);
  await fleet.add(LINKS, createTable('links'));
  const one = await fleet.migrate({ tenants: ['org_b', 'org_e'], include: ['SUSPENDED'] });
  expect(one.totals).toMatchObject({ selected: 2, changed: 1, skipped: 1 });
  expect(resultOf(one, 'org_e')).toMatchObject({ error: { code: 'TENANT_NOT_ACTIVE' } });
  const all = await fleet.migrate({ include: ['SUSPENDED'] });
  // Four tenants with one plan: some of them are sent strings, under the lock and the status of each.
  expect(all).toMatchObject({ totals: { selected: 4, changed: 3, upToDate: 1 }, notActive: { ARCHIVED: 1 } });
  expect((await fleet.migrate({ include: ['SUSPENDED'] })).totals).toMatchObject({ upToDate: 4, changed: 0 });
  expect(await statuses(fleet)).toMatchObject({ org_b: 'SUSPENDED', org_c: 'SUSPENDED', org_d: 'SUSPENDED' });
  expect(await refusalOf(fleet.migrate({ include: ['ARCHIVED' as 'SUSPENDED'] }))).toMatchObject({
    code: 'USAGE',
  });
});

test('a registry writes its own values; one that has none for SUSPENDED says what to map', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(`CREATE TYPE state AS ENUM ('PROVISIONING', 'ACTIVE', 'FAILED', 'paused')`);
  await fleet.query(
    `ALTER TABLE tenants ALTER status DROP DEFAULT, ALTER status TYPE state USING status::state`,
  );
  expect(await refusalOf(suspendTenant(fleet.database, 'org_a'))).toMatchObject({
    code: 'REGISTRY_INVALID',
    hint: expect.stringContaining('SUSPENDED=<value>'),
  });
  const names: Names = {
    ...DEFAULT_NAMES,
    statuses: { ...DEFAULT_NAMES.statuses, SUSPENDED: ['paused'] },
  };
  const mapped = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(5, names), fleet.project);
  expect((await suspendTenant(mapped.database, 'org_a')).outcome).toBe('suspended');
  expect(await statuses(fleet)).toEqual({ org_a: 'paused', org_b: 'ACTIVE' });
  await mapped.add(LINKS, createTable('links'));
  expect((await mapped.migrate({ include: ['SUSPENDED'] })).totals).toMatchObject({ changed: 2, failed: 0 });
  expect(outcomes(await resume(mapped, 'org_a'))).toEqual({ org_a: 'resumed' });

  await fleet.query(`ALTER TABLE tenants ALTER status TYPE text, ADD CHECK (status IN ('ACTIVE', 'FAILED'))`);
  expect(await refusalOf(suspendTenant(fleet.database, 'org_b'))).toMatchObject({
    sqlstate: '23514',
    hint: expect.stringContaining('REGISTRY_STATUSES'),
  });
  expect(await statuses(fleet)).toEqual({ org_a: 'ACTIVE', org_b: 'ACTIVE' });
});

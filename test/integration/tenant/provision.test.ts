import { expect, test } from 'vitest';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createFleet, fleetOn } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const SCHEMA = 'tid_cf4116b064';
const registry = 'SELECT clerk_org_id AS id, schema_name AS schema, status FROM tenants ORDER BY 1';
const SLOW = { 'migrations/tenants/3_slow.sql': `-- migrate:up\n${WAIT_AT_GATE}` };

test('default_tenant gets the schema tid_cf4116b064, its row, its tables and its history', async () => {
  const fleet = await createFleet([]);
  const [result] = await fleet.provision('default_tenant');
  expect(result).toMatchObject({
    clerkOrgId: 'default_tenant',
    schema: SCHEMA,
    outcome: 'provisioned',
    applied: ['20250101000001_notes.sql', '20250101000002_tags.sql'],
  });
  expect(await fleet.query(registry)).toEqual([{ id: 'default_tenant', schema: SCHEMA, status: 'ACTIVE' }]);
  expect(await fleet.tables('default_tenant')).toEqual(['notes', 'tags']);
  expect(await fleet.history('default_tenant')).toEqual([
    '20250101000001_notes.sql@1',
    '20250101000002_tags.sql@1',
  ]);
});

test('the row says PROVISIONING from the first moment, to everybody, and ACTIVE when all is there', async () => {
  const fleet = await createFleet([], { project: await usualProject(SLOW) });
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.provision('default_tenant');
  await gate.reached();
  expect(await fleet.query(registry)).toEqual([
    { id: 'default_tenant', schema: SCHEMA, status: 'PROVISIONING' },
  ]);
  expect((await fleet.status()).states[0]?.attention?.code).toBe('PROVISIONING');
  await gate.open();
  await run;
  expect((await fleet.query(registry))[0]).toMatchObject({ status: 'ACTIVE' });
});

test('a failure leaves FAILED, its reason, and nothing of the schema; again finishes the job', async () => {
  const fleet = await createFleet([]);
  const before = await catalogOf(fleet.testDatabase);
  await fleet.add('3_bad.sql', '-- migrate:up\nSELECT 1/0;');
  const [failed] = await fleet.provision('org_a');
  expect(failed).toMatchObject({
    outcome: 'failed',
    applied: [],
    error: { code: 'MIGRATION_FAILED', tenant: 'org_a', migration: '3_bad.sql', sqlstate: '22012' },
  });
  expect(await fleet.query(registry)).toMatchObject([{ id: 'org_a', status: 'FAILED' }]);
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
  const [state] = (await fleet.status()).states;
  expect(state?.attention).toMatchObject({
    code: 'FAILED',
    problem: expect.stringContaining('division by zero'),
  });

  await fleet.add('3_bad.sql', createTable('good'));
  expect((await fleet.provision('org_a'))[0]).toMatchObject({ outcome: 'provisioned' });
  expect(await fleet.query(registry)).toMatchObject([{ status: 'ACTIVE' }]);
  expect((await fleet.status()).tenants).toMatchObject({ failed: 0, upToDate: 1 });
});

test('one that was killed in its middle, PROVISIONING with or without a schema, is finished by the next', async () => {
  const fleet = await createFleet([]);
  const insert = `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ($1, $2, 'PROVISIONING')`;
  await fleet.query(insert, ['org_a', schemaNameFor('org_a')]);
  await fleet.query(insert, ['org_b', schemaNameFor('org_b')]);
  await fleet.query(`CREATE SCHEMA ${schemaNameFor('org_b')}`);
  const results = await fleet.provision('org_a', 'org_b');
  expect(results.map((result) => result.outcome)).toEqual(['provisioned', 'provisioned']);
  expect(await fleet.tables('org_b')).toEqual(['notes', 'tags']);
});

test('an ACTIVE tenant is left as it is, also where migrations are pending for it', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_links.sql', createTable('links'));
  const [row] = await fleet.query('SELECT * FROM tenants');
  expect((await fleet.provision('org_a'))[0]).toMatchObject({
    outcome: 'already-active',
    applied: [],
    behind: ['3_links.sql'],
    attention: { code: 'BEHIND' },
  });
  expect(await fleet.query('SELECT * FROM tenants')).toEqual([row]);
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('an ACTIVE tenant is called so only with a schema of its own; what else is wrong with it is told', async () => {
  const fleet = await createFleet(['org_gone', 'org_failed', 'org_bare', 'org_well']);
  const of = schemaNameFor;
  await fleet.query(`DROP SCHEMA ${of('org_gone')} CASCADE`);
  await fleet.query(`DROP TABLE ${of('org_bare')}.knex_migrations_tenant`);
  await fleet.query(`CREATE TABLE ${of('org_failed')}.links (id int)`);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_failed', 'org_well'] });
  const before = await catalogOf(fleet.testDatabase);

  const results = await fleet.provision('org_gone', 'org_failed', 'org_bare', 'org_well', 'org_new');

  expect(results).toMatchObject([
    { outcome: 'failed', error: { code: 'SCHEMA_MISSING', tenant: 'org_gone' } },
    { outcome: 'already-active', behind: ['3_links.sql'], attention: { code: 'FAILED' } },
    {
      outcome: 'already-active',
      behind: { length: 3 },
      attention: { code: 'BEHIND', problem: expect.stringContaining('no history table') },
    },
    { outcome: 'already-active' },
    { outcome: 'provisioned' },
  ]);
  expect(results[3]).not.toHaveProperty('attention');
  await fleet.query(`DROP SCHEMA ${of('org_new')} CASCADE`);
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
});

test('two at once for the same organization: one does the work, both report success', async () => {
  const fleet = await createFleet([], { project: await usualProject(SLOW) });
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(), fleet.project);
  const gate = await closeGate(fleet.testDatabase);
  const first = fleet.provision('org_a');
  await gate.reached();
  const second = other.provision('org_a');
  setTimeout(() => void gate.open(), 250);
  expect((await first)[0]).toMatchObject({ outcome: 'provisioned', applied: { length: 3 } });
  expect((await second)[0]).toMatchObject({ outcome: 'already-active', applied: [] });
  expect(await fleet.history('org_a')).toHaveLength(3);
});

test('many at once on an empty registry, each organization twice', async () => {
  const fleet = await createFleet([], { maxConnections: 10 });
  const ids = ['org_a', 'org_b', 'org_c', 'org_a', 'org_b', 'org_c'];
  const results = await Promise.all(ids.map((id) => fleet.provision(id)));
  const outcomes = results
    .flat()
    .map((result) => `${result.clerkOrgId} ${result.outcome}`)
    .toSorted();
  expect(outcomes).toEqual(
    ['org_a', 'org_b', 'org_c'].flatMap((id) => [`${id} already-active`, `${id} provisioned`]),
  );
});

test('several organizations in one call: one that fails does not keep the others from theirs', async () => {
  const fleet = await createFleet([]);
  const results = await fleet.provision('org_a', '', 'org_b', 'org_a');
  expect(results.map((result) => [result.clerkOrgId, result.outcome])).toEqual([
    ['org_a', 'provisioned'],
    ['', 'failed'],
    ['org_b', 'provisioned'],
  ]);
  expect(results[1]?.error?.code).toBe('ORGANIZATION_ID_INVALID');
});

test('without tenant migrations a tenant is an empty schema, ready for tables', async () => {
  const project = await usualProject();
  await project.remove('migrations/tenants/20250101000001_notes.sql');
  await project.remove('migrations/tenants/20250101000002_tags.sql');
  const fleet = await createFleet(['org_a'], { project });
  expect(await fleet.tables('org_a')).toEqual([]);
  await fleet.add('3_links.sql', createTable('links'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
});

test('pending master migrations, a broken file and a missing registry are refused before a row is written', async () => {
  const fleet = await createFleet([]);
  const { database, project } = fleet;
  const provision = () =>
    refusalOf(
      provisionTenants(database, ['org_a'], { folder: project.tenants, masterFolder: project.master }),
    );
  await project.write('migrations/master/9_areas.sql', createTable('areas'));
  expect((await provision()).code).toBe('MASTER_PENDING');
  await project.remove('migrations/master/9_areas.sql');
  await fleet.add('9_broken.js', 'export const up = 1;');
  expect((await provision()).code).toBe('MIGRATION_INVALID');
  expect(await fleet.query(registry)).toEqual([]);
  await fleet.query('DROP TABLE tenants');
  expect((await refusalOf(fleet.provision('org_a'))).code).toBe('REGISTRY_ABSENT');
});

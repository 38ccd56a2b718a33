import { adoptTenants } from '../../../src/core/tenant/adopt.ts';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { contentOf } from '../../support/catalog.ts';
import { createFleet } from '../../support/fleet.ts';

test('an organization may be called anything that people can read', async () => {
  const ids = [
    "o'hara; DROP TABLE tenants; --",
    '"double" \\back\\slash $1 ?',
    'организация 組織 🦆',
    'e\u0301 is not \u00e9',
    '\u00e9 is not e\u0301',
    'x'.repeat(255),
    ' spaces around ',
    'spaces around',
  ];
  const fleet = await createFleet(ids);
  const rows = await fleet.query<{ id: string; schema: string }>(
    `SELECT clerk_org_id AS id, schema_name AS schema FROM tenants WHERE status = 'ACTIVE' ORDER BY tenants.id`,
  );
  expect(rows).toEqual(ids.map((id) => ({ id, schema: schemaNameFor(id) })));
  expect((await fleet.provision(...ids)).map((result) => result.outcome)).toEqual(
    ids.map(() => 'already-active'),
  );
  for (const id of ids)
    expect((await fleet.migrate({ tenants: [id] })).totals).toMatchObject({ upToDate: 1 });
});

test('control characters, NUL, nothing at all and too much are refused, and nothing is changed', async () => {
  const fleet = await createFleet([]);
  const before = await contentOf(fleet.testDatabase);
  const results = await fleet.provision(
    '',
    '   ',
    'a\u0000b',
    'a\tb',
    '\u001b[31m',
    'x'.repeat(256),
    '\ud800',
  );
  expect(results).toHaveLength(7);
  for (const result of results) {
    expect(result).toMatchObject({
      outcome: 'failed',
      schema: '',
      error: { code: 'ORGANIZATION_ID_INVALID' },
    });
  }
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('two organizations never share a schema: the second is refused, and both are named', async () => {
  const fleet = await createFleet(['org_first']);
  await fleet.query(`UPDATE tenants SET clerk_org_id = 'org_other' WHERE clerk_org_id = 'org_first'`);
  const before = await contentOf(fleet.testDatabase);
  const [result] = await fleet.provision('org_first');
  expect(result?.error).toMatchObject({ code: 'SCHEMA_NAME_TAKEN', tenant: 'org_first' });
  expect(result?.error?.message).toContain('"org_first"');
  expect(result?.error?.message).toContain('"org_other"');
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('a schema that belongs to nobody is not taken: it may hold data, and stays as it is however often one asks', async () => {
  const fleet = await createFleet([]);
  const schema = schemaNameFor('org_a');
  await fleet.query(`CREATE SCHEMA ${schema}`);
  await fleet.query(`CREATE TABLE ${schema}.precious AS SELECT 1 AS id`);
  const before = await contentOf(fleet.testDatabase);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const [result] = await fleet.provision('org_a');
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'SCHEMA_UNREGISTERED' } });
    expect(await contentOf(fleet.testDatabase)).toEqual(before);
  }
});

test('its remedies work when followed: to continue with it, or to begin anew', async () => {
  const fleet = await createFleet([]);
  const schema = schemaNameFor("org_a's");
  await fleet.query(`CREATE SCHEMA ${schema}`);
  await fleet.query(`CREATE TABLE ${schema}.precious AS SELECT 1 AS id`);
  const hint = async () => (await fleet.provision("org_a's"))[0]?.error?.hint ?? '';
  expect(await hint()).toContain(`tenantctl tenant adopt '${schema}=org_a'\\''s'`);
  await adoptTenants(fleet.database, [{ schema, clerkOrgId: "org_a's" }]);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await fleet.tables("org_a's")).toEqual(['notes', 'precious', 'tags']);

  await fleet.query('DELETE FROM tenants');
  await fleet.query(/DROP SCHEMA [^;]+;/.exec(await hint())?.[0] ?? 'no remedy');
  expect((await fleet.provision("org_a's"))[0]?.outcome).toBe('provisioned');
  expect(await fleet.tables("org_a's")).toEqual(['notes', 'tags']);
});

test('a SUSPENDED or ARCHIVED tenant is not provisioned again', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(
    `UPDATE tenants SET status = CASE clerk_org_id WHEN 'org_a' THEN 'SUSPENDED' ELSE 'ARCHIVED' END`,
  );
  const before = await contentOf(fleet.testDatabase);
  const results = await fleet.provision('org_a', 'org_b');
  expect(results.map((result) => result.error?.code)).toEqual(['TENANT_NOT_ACTIVE', 'TENANT_NOT_ACTIVE']);
  expect(results[1]?.error?.message).toContain('ARCHIVED');
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('a row that names no schema, a schema of the system or that of another organization is refused, whatever its status', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query(
    'ALTER TABLE tenants ALTER schema_name DROP NOT NULL, DROP CONSTRAINT tenants_schema_name_key',
  );
  const own = schemaNameFor('org_a');
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES
       ('active none', NULL, 'ACTIVE'), ('active system', 'pg_catalog', 'ACTIVE'), ('active other', $1, 'ACTIVE'),
       ('failed system', 'tenantctl', 'FAILED'), ('failed other', $1, 'FAILED')`,
    [own],
  );
  const before = await contentOf(fleet.testDatabase);
  const results = await fleet.provision(
    'active none',
    'active system',
    'active other',
    'failed system',
    'failed other',
    'org_a',
  );
  expect(results.map(({ outcome, error }) => [outcome, error?.code])).toEqual([
    ['failed', 'SCHEMA_MISSING'],
    ['failed', 'SCHEMA_NAME_TAKEN'],
    ['failed', 'SCHEMA_NAME_TAKEN'],
    ['failed', 'SCHEMA_NAME_TAKEN'],
    ['failed', 'SCHEMA_NAME_TAKEN'],
    ['failed', 'SCHEMA_NAME_TAKEN'],
  ]);
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('the schema name of the registry is the authority, not the hash', async () => {
  const fleet = await createFleet([]);
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_a', 'Their "own" name', 'FAILED')`,
  );
  expect((await fleet.provision('org_a'))[0]).toMatchObject({
    outcome: 'provisioned',
    schema: 'Their "own" name',
  });
  expect(await fleet.query(`SELECT name FROM "Their ""own"" name".knex_migrations_tenant`)).toHaveLength(2);
  expect((await fleet.rollback({ extent: { all: true } })).totals).toMatchObject({ changed: 1, failed: 0 });
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, failed: 0 });
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 1 });
});

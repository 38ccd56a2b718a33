import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { fleetOn } from '../../support/fleet.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const REGISTRIES: [string, string][] = [
  [
    'a uuid key, an enum and columns of its own',
    `CREATE TYPE tenant_state AS ENUM ('PROVISIONING', 'ACTIVE', 'FAILED', 'SUSPENDED', 'ARCHIVED', 'TRIAL');
     CREATE TABLE tenants (
       id uuid PRIMARY KEY DEFAULT md5(random()::text)::uuid, clerk_org_id text UNIQUE NOT NULL, plan text NOT NULL DEFAULT 'free',
       schema_name text UNIQUE NOT NULL, status tenant_state NOT NULL, created_at timestamp DEFAULT now(),
       updated_at timestamp DEFAULT now())`,
  ],
  [
    'a serial key and camel case beside what is needed',
    `CREATE TABLE tenants (
       id serial PRIMARY KEY, "displayName" text, clerk_org_id varchar(64) UNIQUE, schema_name varchar(64) UNIQUE,
       status varchar(20), created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now())`,
  ],
  [
    'no timestamps at all',
    `CREATE TABLE tenants (id serial PRIMARY KEY, clerk_org_id text UNIQUE, schema_name text UNIQUE, status text)`,
  ],
];

test.each(REGISTRIES)('a registry with %s is used as it is, and never altered', async (_, ddl) => {
  const testDatabase = await createDatabase();
  await testDatabase.query(ddl);
  const project = await usualProject();
  await project.remove('migrations/master/20250101000000_init_db.sql');
  await project.write('migrations/master/1_areas.sql', createTable('areas'));
  const registry = async () =>
    (await catalogOf(testDatabase)).filter(
      (line) => /\btenants|tenant_state/.test(line) && !line.includes('tenantctl.'),
    );
  const before = await registry();

  const database = await testDatabase.open();
  expect((await migrateMaster(database, { folder: project.master })).names).toEqual(['1_areas.sql']);
  const fleet = fleetOn(testDatabase, database, project);
  expect((await fleet.provision('org_a', 'org_b')).map((result) => result.outcome)).toEqual([
    'provisioned',
    'provisioned',
  ]);
  await fleet.add('3_links.sql', createTable('links'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
  expect((await fleet.rollback()).totals).toMatchObject({ changed: 2, failed: 0 });
  await fleet.add('4_bad.sql', '-- migrate:up\nSELECT 1/0;');
  expect((await fleet.provision('org_c'))[0]?.outcome).toBe('failed');
  expect((await fleet.status()).tenants).toMatchObject({ total: 3, byStatus: { ACTIVE: 2, FAILED: 1 } });

  expect(await registry()).toEqual(before);
});

test('statuses of another tool are left alone, and counted', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query(REGISTRIES[0]?.[1] ?? '');
  await testDatabase.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_t', 'trial', 'TRIAL')`,
  );
  const project = await usualProject({
    'migrations/master/20250101000000_init_db.sql': createTable('areas'),
  });
  const database = await testDatabase.open();
  await migrateMaster(database, { folder: project.master });
  const fleet = fleetOn(testDatabase, database, project);
  expect(await fleet.migrate()).toMatchObject({ totals: { selected: 0 }, notActive: { TRIAL: 1 } });
  expect((await fleet.status()).states[0]?.attention).toBeUndefined();
});

test('a registry that lacks what tenantctl needs is refused, with the columns named', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query('CREATE TABLE tenants (id int, clerk_org_id text)');
  const database = await testDatabase.open();
  const fleet = fleetOn(testDatabase, database, await usualProject());
  const refusal = await refusalOf(fleet.migrate());
  expect(refusal).toMatchObject({ code: 'REGISTRY_INVALID' });
  expect(refusal.message).toContain('schema_name, status');
});

test('a registry without timestamps lists its tenants without them', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query('CREATE TABLE tenants (clerk_org_id text, schema_name text, status text)');
  const schema = schemaNameFor('org_a');
  await testDatabase.query(`INSERT INTO tenants VALUES ('org_a', '${schema}', 'ACTIVE')`);
  await testDatabase.query(`CREATE SCHEMA ${schema}`);
  const project = await usualProject({
    'migrations/master/20250101000000_init_db.sql': createTable('areas'),
  });
  const database = await testDatabase.open();
  await migrateMaster(database, { folder: project.master });
  const fleet = fleetOn(testDatabase, database, project);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
  expect((await fleet.status({ listAll: true })).states[0]?.tenant).toMatchObject({
    createdAt: null,
    updatedAt: null,
  });
});

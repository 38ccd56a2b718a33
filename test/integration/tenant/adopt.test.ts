import { expect, test } from 'vitest';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { adoptTenants, planAdoption, type Adoptions } from '../../../src/core/tenant/adopt.ts';
import { readAdoptionCandidates } from '../../../src/core/tenant/adoption/adoption-candidates.ts';
import { grantApplication } from '../../../src/core/commands/grant-application.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';
import { contentOf } from '../../support/catalog.ts';
import { createFleet, fleetOn } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { holdLock } from '../../support/hold-lock.ts';

const [A, B] = [schemaNameFor('org_a'), schemaNameFor('org_b')];

const outcomes = ({ tenants }: Pick<Adoptions, 'tenants'>) =>
  Object.fromEntries(tenants.map(({ schema, outcome, error }) => [schema, error?.code ?? outcome]));

test('schemas without a row are found, and become ACTIVE tenants with what is remembered of them', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { database, query } = fleet;
  await fleet.add('20250101000003_links.sql', '-- migrate:up\nSELECT 1 / (SELECT count(*) FROM notes);');
  await fleet.migrate({ tenants: ['org_a'] });
  const [known] = await query<{ id: string }>(
    `SELECT id FROM tenantctl.tenants WHERE clerk_org_id = 'org_a'`,
  );
  // One row was deleted by mistake, one lost its schema's name; and a schema comes from elsewhere.
  await query(`DELETE FROM tenants WHERE clerk_org_id = 'org_a'`);
  await query(`ALTER TABLE tenants ALTER schema_name DROP NOT NULL`);
  await query(`UPDATE tenants SET schema_name = NULL, status = 'FAILED' WHERE clerk_org_id = 'org_b'`);
  await query(`DROP SCHEMA ${schemaNameFor('org_c')} CASCADE`);
  await query(`CREATE SCHEMA "O'Neil" CREATE TABLE notes (id int) CREATE TABLE tags (id int)`);

  const candidates = await readAdoptionCandidates(database);
  expect(candidates.schemas).toMatchObject(
    [
      { schema: "O'Neil", tables: 2, hasHistory: false, newest: null, clerkOrgId: null },
      { schema: B, tables: 2, newest: '20250101000002_tags.sql', clerkOrgId: 'org_b' },
      { schema: A, tables: 2, newest: '20250101000002_tags.sql', clerkOrgId: 'org_a' },
    ].toSorted((a, b) => (a.schema < b.schema ? -1 : 1)),
  );
  expect(candidates.rows).toEqual([
    { clerkOrgId: 'org_b', schema: '', status: 'FAILED' },
    { clerkOrgId: 'org_c', schema: schemaNameFor('org_c'), status: 'ACTIVE' },
  ]);

  const wanted = [
    { schema: A, clerkOrgId: 'org_a' },
    { schema: B, clerkOrgId: 'org_b' },
    { schema: "O'Neil", clerkOrgId: 'neil' },
  ];
  const before = await contentOf(fleet.testDatabase);
  expect((await planAdoption(database, wanted)).map(({ outcome }) => outcome)).toEqual(
    wanted.map(() => 'adopted'),
  );
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
  const adopted = await adoptTenants(database, wanted);

  expect(outcomes(adopted)).toEqual({ [A]: 'adopted', [B]: 'adopted', "O'Neil": 'adopted' });
  expect(
    await query(`SELECT clerk_org_id AS org, schema_name AS schema, status FROM tenants ORDER BY 1`),
  ).toEqual([
    { org: 'neil', schema: "O'Neil", status: 'ACTIVE' },
    { org: 'org_a', schema: A, status: 'ACTIVE' },
    { org: 'org_b', schema: B, status: 'ACTIVE' },
    { org: 'org_c', schema: schemaNameFor('org_c'), status: 'ACTIVE' },
  ]);
  expect(
    await query(`SELECT id FROM tenantctl.tenants WHERE clerk_org_id = 'org_a' AND gone_at IS NULL`),
  ).toEqual([known]);
  expect(await readRunTenants(database, adopted.run ?? 0, { onlyFailed: false })).toHaveLength(3);
  // A's failure is remembered, and its stamp was made anew.
  expect(await query(`SELECT schema_name FROM tenantctl.trusted_stamps`)).toHaveLength(2);
  await fleet.add('20250101000003_links.sql', createTable('links'));
  const { states } = await fleet.status({ listAll: true });
  expect(states.map(({ tenant, class: of }) => [tenant.clerkOrgId, of])).toEqual([
    ['neil', 'behind'],
    ['org_a', 'failed'],
    ['org_b', 'behind'],
    ['org_c', 'broken'],
  ]);
  expect((await fleet.migrate({ tenants: ['org_a', 'org_b'] })).totals).toMatchObject({
    changed: 2,
    failed: 0,
  });
  expect(outcomes(await adoptTenants(database, wanted.slice(0, 2)))).toEqual({
    [A]: 'already-adopted',
    [B]: 'already-adopted',
  });
});

test('what cannot be adopted is refused with its reason; the others are adopted', async () => {
  const fleet = await createFleet(['org_a']);
  const { database, query } = fleet;
  await query(
    'CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA busy; CREATE SCHEMA of_words; CREATE EXTENSION citext SCHEMA of_words',
  );
  const held = await holdLock(fleet.testDatabase, 'tenant:busy');
  const wanted = [
    { schema: 'one', clerkOrgId: 'org_1' },
    { schema: 'nowhere', clerkOrgId: 'org_2' },
    { schema: 'public', clerkOrgId: 'org_3' },
    { schema: A, clerkOrgId: 'org_4' },
    { schema: 'two', clerkOrgId: 'org_a' },
    { schema: 'busy', clerkOrgId: 'org_5' },
    { schema: 'of_words', clerkOrgId: 'org_6' },
    { schema: 'tenantctl', clerkOrgId: ' ' },
  ];
  const refused = {
    nowhere: 'SCHEMA_MISSING',
    public: 'SCHEMA_NAME_TAKEN',
    of_words: 'SCHEMA_NAME_TAKEN',
    [A]: 'SCHEMA_NAME_TAKEN',
    two: 'TENANT_EXISTS',
    tenantctl: 'ORGANIZATION_ID_INVALID',
  };
  const planned = await planAdoption(database, wanted);
  expect(outcomes({ tenants: planned })).toEqual({ ...refused, one: 'adopted', busy: 'adopted' });
  const hints = new Map(planned.map(({ schema, error }) => [schema, error?.hint]));
  expect(hints.get('public')).toMatch(/--dry-run lists the schemas that can be one/);
  expect(hints.get(A)).toMatch(/tenantctl tenant rename org_a org_4$/);
  const adopted = await adoptTenants(database, wanted, { lockWaitMs: 100 });
  expect(outcomes(adopted)).toEqual({ ...refused, one: 'adopted', busy: 'LOCK_TIMEOUT' });
  expect(await query('SELECT FROM tenants')).toHaveLength(2);
  await held.release();
});

test('a registry of other names takes the row; one that takes none says what to insert', async () => {
  const fleet = await createFleet([]);
  await fleet.query(`CREATE TABLE customers (id serial PRIMARY KEY, slug uuid UNIQUE, db text UNIQUE, state text, plan text NOT NULL);
    CREATE SCHEMA acme; CREATE SCHEMA globex; DROP SCHEMA tenantctl CASCADE`);
  const names = {
    ...DEFAULT_NAMES,
    registry: { schema: 'public', table: 'customers' },
    columns: { ...DEFAULT_NAMES.columns, organization: 'slug', schema: 'db', status: 'state' },
    statuses: { ...DEFAULT_NAMES.statuses, ACTIVE: ['live'] },
  };
  const { database } = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(3, names), fleet.project);
  const acme = '11111111-1111-4111-8111-111111111111';
  const wanted = [
    { schema: 'acme', clerkOrgId: acme },
    { schema: 'globex', clerkOrgId: 'no uuid' },
  ];
  const { tenants } = await adoptTenants(database, wanted);
  expect(outcomes({ tenants })).toEqual({ acme: 'TENANT_UNKNOWN', globex: 'ORGANIZATION_ID_INVALID' });
  expect(tenants[0]?.error?.hint).toContain(`slug = '${acme}' and db NULL`);
  await fleet.query(`INSERT INTO customers (slug, plan) VALUES ('${acme}', 'free')`);
  expect(outcomes(await adoptTenants(database, wanted.slice(0, 1)))).toEqual({ acme: 'adopted' });
  expect(await fleet.query('SELECT slug, db, state FROM customers')).toEqual([
    { slug: acme, db: 'acme', state: 'live' },
  ]);
});

test("the application's role may use an adopted tenant at once", async () => {
  const fleet = await createFleet([]);
  const role = `app_${fleet.testDatabase.settings.database}`;
  await fleet.query(`CREATE ROLE ${role}`);
  try {
    await grantApplication(fleet.database, role);
    await fleet.query('CREATE SCHEMA acme CREATE TABLE notes (id int)');
    await adoptTenants(fleet.database, [{ schema: 'acme', clerkOrgId: 'org_a' }]);
    expect(await fleet.query(`SELECT has_table_privilege('${role}', 'acme.notes', 'INSERT') AS may`)).toEqual(
      [{ may: true }],
    );
  } finally {
    await fleet.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

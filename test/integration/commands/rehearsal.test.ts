import { expect, test } from 'vitest';
import {
  rehearseAll,
  rehearseMaster,
  rehearseMasterRollback,
  rehearseTenants,
  rehearseTenantsRollback,
} from '../../../src/core/commands/rehearse.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { contentOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const rehearse = (fleet: TestFleet, lockTimeoutMs?: number) =>
  rehearseTenants(fleet.database, {
    folder: fleet.project.tenants,
    masterFolder: fleet.project.master,
    lockTimeoutMs,
  });

const FILL = knexMigration(
  `await knex('notes').insert({ id: 7 }); await knex.schema.alterTable('notes', (table) => { table.text('more'); });`,
  `await knex.schema.alterTable('notes', (table) => { table.dropColumn('more'); });`,
);

test('each distinct plan is shown once, with the tenants that it is for', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_c'] });
  await fleet.add('4_fill.js', FILL);
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_d'`);

  const { plans, upToDate } = await rehearse(fleet);

  expect(upToDate).toBe(0);
  expect(plans).toHaveLength(2);
  const [both, one] = plans;
  expect(both?.targets.map((target) => target.clerkOrgId)).toEqual(['org_a', 'org_b']);
  expect(both?.migrations.map((migration) => migration.name)).toEqual(['3_links.sql', '4_fill.js']);
  expect(one).toMatchObject({
    scope: 'tenants',
    targets: [{ clerkOrgId: 'org_c', schema: schemaNameFor('org_c') }],
    shownOn: schemaNameFor('org_c'),
    migrations: [{ name: '4_fill.js', transaction: true }],
  });
});

test('the SQL is shown as it would be sent, with the values that are bound', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.add('4_fill.js', FILL);
  const { plans } = await rehearse(fleet);
  expect(plans[0]?.migrations.map((migration) => migration.statements)).toEqual([
    ['CREATE TABLE links (id int PRIMARY KEY);'],
    ['insert into "notes" ("id") values ($1)  -- $1 = 7', 'alter table "notes" add column "more" text'],
  ]);
});

test('nothing is changed by it, forward or back, not even the histories or their numbers', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, project } = fleet;
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.add('4_fill.js', FILL);
  await project.write('migrations/master/2_areas.sql', createTable('areas'));
  const sequences = () =>
    fleet.query('SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2');
  const before = [await contentOf(fleet.testDatabase), await sequences()];

  const master = { folder: project.master };
  const tenants = { folder: project.tenants };
  expect((await rehearseMaster(database, master)).plans).toHaveLength(1);
  expect((await rehearseTenants(database, tenants)).plans).toHaveLength(1);
  expect((await rehearseAll(database, master, tenants)).plans).toHaveLength(2);
  expect((await rehearseTenantsRollback(database, { ...tenants, extent: { all: true } })).plans).toHaveLength(
    1,
  );
  await rehearseMasterRollback(database, { folder: project.master }).catch(() => {});
  expect([await contentOf(fleet.testDatabase), await sequences()]).toEqual(before);
});

test('an empty database stays empty, the schema tenantctl included', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open();
  const project = await usualProject();
  const before = await contentOf(testDatabase);
  const { plans } = await rehearseAll(database, { folder: project.master }, { folder: project.tenants });
  expect(plans).toMatchObject([
    { scope: 'master', shownOn: 'public', migrations: [{ name: '20250101000000_init_db.sql' }] },
  ]);
  expect(await contentOf(testDatabase)).toEqual(before);
});

test('a migration that ends its transaction is shown as the failure that it would be, and changes nothing', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_links.sql', createTable('links'));
  const before = await contentOf(fleet.testDatabase);
  for (const control of ['COMMIT', 'COMMIT AND CHAIN', 'ROLLBACK']) {
    for (const [name, text] of [
      ['4_control.sql', `-- migrate:up\nCREATE TABLE control ();\n${control};`],
      ['4_control.js', knexMigration(`await knex.raw('${control}');`)],
    ] as const) {
      // Node loads a module once: each attempt has a name of its own.
      const unique = name.replace('control', control.replaceAll(' ', '_').toLowerCase());
      await fleet.add(unique, text);
      const { plans } = await rehearse(fleet);
      expect(plans[0]?.migrations[1]?.error?.message).toContain('ended its transaction itself');
      await fleet.project.remove(`migrations/tenants/${unique}`);
    }
  }
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('a canary that the run would refuse is refused by the dry run', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  const plan = (canary: string, tenants?: string[]) =>
    rehearseTenants(fleet.database, {
      folder: fleet.project.tenants,
      tenants,
      rollout: { canary: { tenants: [canary] } },
    });
  await expect(plan('org_x')).rejects.toMatchObject({ code: 'TENANT_UNKNOWN', tenant: 'org_x' });
  await expect(plan('org_a', ['org_b'])).rejects.toMatchObject({ code: 'USAGE', tenant: 'org_a' });
  expect((await plan('org_a')).plans).toHaveLength(1);
});

test('what runs outside a transaction is shown by its text and said not to have been tried', async () => {
  const fleet = await createFleet(['org_a']);
  const index = 'CREATE INDEX CONCURRENTLY notes_x ON notes (id);';
  await fleet.add('3_index.sql', `-- migrate:up transaction:false\n${index}`);
  await fleet.add(
    '4_index.js',
    knexMigration(
      `await knex.raw('CREATE TABLE by_js ()');`,
      '',
      'export const config = { transaction: false };',
    ),
  );
  await fleet.add('5_needs_it.sql', '-- migrate:up\nALTER TABLE by_js ADD x int;');
  const [plan] = (await rehearse(fleet)).plans;
  const [sql, js, after] = plan?.migrations ?? [];
  expect(sql).toMatchObject({
    transaction: false,
    statements: [index],
    note: expect.stringContaining('not been tried'),
  });
  expect(js).toMatchObject({
    transaction: false,
    statements: [],
    note: expect.stringContaining('CREATE TABLE by_js'),
  });
  expect(after).toMatchObject({ error: { sqlstate: '42P01' }, note: expect.stringContaining('3_index.sql') });
});

test('what goes outside its schema is shown as refused, also where tenantctl has no schema of its own yet', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query('CREATE TABLE public.countries (code text)');
  await fleet.query('DROP SCHEMA tenantctl CASCADE');
  await fleet.add('3_reaching.sql', '-- migrate:up\nALTER TABLE countries ADD COLUMN name text;');
  const before = await contentOf(fleet.testDatabase);
  const [plan] = (await rehearse(fleet)).plans;
  expect(plan?.migrations[0]?.error).toMatchObject({
    code: 'MIGRATION_OUTSIDE_SCHEMA',
    message: expect.stringContaining('3_reaching.sql changed the table public.countries: outside '),
  });
  expect(await contentOf(fleet.testDatabase)).toEqual(before);
});

test('a migration that would fail is shown with its error; what comes after it is not tried', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_bad.sql', '-- migrate:up\nSELECT 1/0;');
  await fleet.add('4_links.sql', createTable('links'));
  const [plan] = (await rehearse(fleet)).plans;
  expect(plan?.migrations).toHaveLength(1);
  expect(plan?.migrations[0]?.error).toMatchObject({
    code: 'MIGRATION_FAILED',
    sqlstate: '22012',
    migration: '3_bad.sql',
  });
});

test('tenants that nothing can be done for are named beside the plans', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_b')} CASCADE`);
  const { problems, upToDate } = await rehearse(fleet);
  expect(upToDate).toBe(1);
  expect(problems.map(({ error }) => error.code)).toEqual(['SCHEMA_MISSING']);
});

test('it does not stand in the way: a lock that somebody holds ends it soon', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_alter.sql', '-- migrate:up\nALTER TABLE notes ADD x int;');
  const holder = await fleet.testDatabase.open(1);
  const client = await holder.connect('work');
  await client.query(`BEGIN; LOCK TABLE ${schemaNameFor('org_a')}.notes IN ACCESS SHARE MODE`);
  // A run would wait for ever.
  const [plan] = (await rehearse(fleet, 0)).plans;
  await client.query('ROLLBACK');
  holder.giveBack(client, false, 0);
  expect(plan?.migrations[0]?.error?.sqlstate).toBe('55P03');
});

test('of all, the tenants see what the pending master migrations would have done; alone they are refused', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.project.write('migrations/master/2_areas.sql', createTable('areas'));
  await fleet.add('3_area.sql', '-- migrate:up\nALTER TABLE notes ADD area int REFERENCES areas;');
  expect((await refusalOf(rehearse(fleet))).code).toBe('MASTER_PENDING');
  const { plans } = await rehearseAll(
    fleet.database,
    { folder: fleet.project.master },
    { folder: fleet.project.tenants },
  );
  expect(plans.map((plan) => plan.scope)).toEqual(['master', 'tenants']);
  expect(plans[1]?.migrations[0]?.error).toBeUndefined();
});

test('a rollback is rehearsed newest first, each tenant back from where it is', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('4_fill.js', FILL);
  await fleet.migrate({ tenants: ['org_a'] });
  const { plans, warnings } = await rehearseTenantsRollback(fleet.database, {
    folder: fleet.project.tenants,
    tenants: ['org_a', 'org_b'],
  });
  expect(warnings).toEqual(['This undoes every migration of 1 tenant (org_b): without --yes it asks first.']);
  expect(plans.map((plan) => plan.migrations)).toMatchObject([
    [{ name: '4_fill.js', statements: ['alter table "notes" drop column "more"'] }],
    [{ name: '20250101000002_tags.sql' }, { name: '20250101000001_notes.sql' }],
  ]);
});

test('a master rollback tells which shared tables it would drop', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.project.write('migrations/master/30000101000000_areas.sql', createTable('areas'));
  await migrateMaster(fleet.database, { folder: fleet.project.master });
  const { warnings } = await rehearseMasterRollback(fleet.database, { folder: fleet.project.master });
  expect(warnings).toEqual([
    'This drops areas, which 1 tenant (org_a) may use: without --yes it asks first.',
  ]);

  // What is not tried may drop any.
  const name = '30000101000001_drop.cjs';
  const outside = `exports.config = { transaction: false };\nexports.up = (knex) => knex.raw('SELECT 1');`;
  const down = `exports.down = (knex) => knex.schema.dropTable('areas');`;
  await fleet.project.write(`migrations/master/${name}`, `${outside}\n${down}`);
  await migrateMaster(fleet.database, { folder: fleet.project.master });
  expect((await rehearseMasterRollback(fleet.database, { folder: fleet.project.master })).warnings).toEqual([
    `Which tables this drops is not known before it runs (${name}), and 1 tenant (org_a) may use them: without --yes it asks first.`,
  ]);
});

test('a master rollback that would be refused is refused', async () => {
  const fleet = await createFleet(['org_a']);
  const refusal = await refusalOf(rehearseMasterRollback(fleet.database, { folder: fleet.project.master }));
  expect(refusal.code).toBe('REGISTRY_IN_USE');
});

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { seedTenants } from '../../../src/core/commands/seed-tenants.ts';
import { writeTenants } from '../../../src/core/commands/write-tenants.ts';
import { readUndone } from '../../../src/core/ledger/undone.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { resumeTenant } from '../../../src/core/tenant/resume.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** A fleet with these scripts, and the options that name their folder. */
async function fleetWith(scripts: Readonly<Record<string, string>>, organizations = FIVE) {
  const fleet = await createFleet(organizations);
  // Each application of a script is counted in its tenant.
  for (const id of organizations) await fleet.query(`CREATE TABLE ${schemaNameFor(id)}.log (script text)`);
  const write = (name: string, text: string) => fleet.project.write(`repeatable/tenants/${name}`, text);
  for (const [name, text] of Object.entries(scripts)) await write(name, text);
  const repeatableFolder = join(fleet.project.folder, 'repeatable/tenants');
  return {
    ...fleet,
    write,
    scripts: { repeatableFolder },
    migrate: (options: Parameters<TestFleet['migrate']>[0] = {}) =>
      fleet.migrate({ repeatableFolder, ...options }),
    status: () => fleet.status({ repeatableFolder }),
    /** The scripts in the order in which a tenant got them. */
    async log(organization: string) {
      const rows = await fleet.query<{ script: string }>(
        `SELECT script FROM ${schemaNameFor(organization)}.log`,
      );
      return rows.map(({ script }) => script);
    },
  };
}

const logged = (script: string, text = '') => `INSERT INTO log VALUES ('${script}');\n${text}`;

test('a script is applied to every tenant in order of name, and again only where it has changed', async () => {
  const fleet = await fleetWith({
    'b_view.sql': logged('b', 'CREATE OR REPLACE VIEW all_notes AS SELECT * FROM notes;'),
    'a_function.sql': logged(
      'a',
      'CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$;',
    ),
  });
  expect((await fleet.status()).tenants).toMatchObject({ behind: 5 });
  const first = await fleet.migrate();
  expect(first.totals).toMatchObject({ changed: 5, failed: 0 });
  expect(resultOf(first, 'org_c')).toMatchObject({
    outcome: 'migrated',
    names: ['repeatable/a_function.sql', 'repeatable/b_view.sql'],
    batch: 0,
  });
  expect(first.fleet).toMatchObject({ upToDate: 5 });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5, changed: 0 });
  expect(await fleet.status()).toMatchObject({
    tenants: { upToDate: 5 },
    repeatable: { scripts: 2, tenants: 0 },
  });

  await fleet.write('b_view.sql', logged('b2', 'CREATE OR REPLACE VIEW all_notes AS SELECT id FROM notes;'));
  // The same text with other line ends.
  await fleet.write(
    'a_function.sql',
    logged('a', 'CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$;').replaceAll(
      '\n',
      '\r\n',
    ),
  );
  expect(await fleet.status()).toMatchObject({
    tenants: { behind: 5 },
    repeatable: { scripts: 2, tenants: 5 },
  });
  const second = await fleet.migrate();
  expect(second.totals).toMatchObject({ changed: 5, failed: 0 });
  for (const id of FIVE) expect(await fleet.log(id)).toEqual(['a', 'b', 'b2']);
  expect(await readRunTenants(fleet.database, second.run ?? 0, { onlyFailed: false })).toMatchObject(
    FIVE.map((clerkOrgId) => ({ clerkOrgId, names: ['repeatable/b_view.sql'], batch: 0 })),
  );
  expect(await fleet.history('org_a')).toEqual(['20250101000001_notes.sql@1', '20250101000002_tags.sql@1']);
  // Scripts are not undone.
  expect((await fleet.rollback({ extent: { run: second.run ?? 0 } })).totals).toMatchObject({
    changed: 0,
    failed: 0,
  });
});

test('after a migration all scripts are applied again, in its transaction: it may have dropped what they make', async () => {
  const fleet = await fleetWith({
    'view.sql': logged('view', 'CREATE OR REPLACE VIEW n AS SELECT id FROM notes;'),
  });
  await fleet.migrate();
  await fleet.add(
    '3_wider.sql',
    '-- migrate:up\nDROP VIEW n;\nALTER TABLE notes ALTER id TYPE bigint;\n-- migrate:down\nDROP VIEW n;\nALTER TABLE notes ALTER id TYPE int;\n',
  );
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_e')).toMatchObject({
    names: ['3_wider.sql', 'repeatable/view.sql'],
    batch: 2,
  });
  for (const id of FIVE) await fleet.query(`SELECT id FROM ${schemaNameFor(id)}.n`);

  // Undone, the view is gone. An older release finds that, though its scripts are the same.
  const { run = 0 } = result;
  const undone = await fleet.rollback({ extent: { run }, ...fleet.scripts });
  expect(resultOf(undone, 'org_e')).toMatchObject({ outcome: 'rolled-back', names: ['3_wider.sql'] });
  expect(await readUndone(fleet.database, run)).toEqual({ by: [undone.run], wholly: true });
  await fleet.project.remove('migrations/tenants/3_wider.sql');
  expect((await fleet.status()).repeatable).toEqual({ scripts: 1, tenants: 5 });
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 5 });
  for (const id of FIVE) {
    await fleet.query(`SELECT id FROM ${schemaNameFor(id)}.n`);
    expect(await fleet.log(id)).toEqual(['view', 'view', 'view']);
  }
});

test('scripts wait until no migration is pending, and get a transaction of their own after one without', async () => {
  const fleet = await fleetWith({
    'view.sql': logged('view', 'CREATE OR REPLACE VIEW x AS SELECT id FROM extra;'),
  });
  await fleet.add('3_extra.sql', createTable('extra'));
  await fleet.add(
    '4_index.sql',
    '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY extra_id ON extra (id);\n',
  );
  const upTo = await fleet.migrate({ to: '20250101000002_tags' });
  expect(upTo.totals).toMatchObject({ upToDate: 5, changed: 0 });
  expect(resultOf(await fleet.migrate({ to: '3_extra' }), 'org_b').names).toEqual(['3_extra.sql']);
  const last = await fleet.migrate();
  expect(resultOf(last, 'org_b')).toMatchObject({ names: ['4_index.sql', 'repeatable/view.sql'], batch: 3 });
  for (const id of FIVE) expect(await fleet.log(id)).toEqual(['view']);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5 });
});

test('a new tenant gets all scripts before it is ACTIVE', async () => {
  const fleet = await fleetWith({ 'view.sql': 'CREATE VIEW n AS SELECT id FROM notes;' }, ['org_a']);
  const made = await provisionTenants(fleet.database, ['org_x', 'org_y', 'org_z', 'org_w'], {
    folder: fleet.project.tenants,
    ...fleet.scripts,
  });
  for (const { outcome, applied, clerkOrgId } of made) {
    expect({ outcome, last: applied.at(-1) }).toEqual({
      outcome: 'provisioned',
      last: 'repeatable/view.sql',
    });
    await fleet.query(`SELECT id FROM ${schemaNameFor(clerkOrgId)}.n`);
  }
  expect((await fleet.status()).repeatable).toEqual({ scripts: 1, tenants: 1 });
});

test('a script that fails names its tenant, file and line; its tenant keeps neither effect nor record', async () => {
  const fleet = await fleetWith({
    'a_log.sql': logged('a'),
    'b_fails.sql': '-- A comment.\n\nSELECT id\nFROM secret;\n',
  });
  for (const id of FIVE.slice(1)) await fleet.query(`CREATE TABLE ${schemaNameFor(id)}.secret (id int)`);
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
  const { error } = resultOf(result, 'org_a');
  expect(error).toMatchObject({
    code: 'MIGRATION_FAILED',
    tenant: 'org_a',
    migration: 'repeatable/b_fails.sql',
    sqlstate: '42P01',
  });
  expect(error?.at).toMatch(/b_fails\.sql:4/);
  expect(await fleet.log('org_a')).toEqual([]);
  expect(await fleet.query('SELECT count(*)::int AS count FROM tenantctl.scripts')).toEqual([{ count: 8 }]);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_a')}.secret (id int)`);
  expect(resultOf(await fleet.migrate(), 'org_a').names).toEqual([
    'repeatable/a_log.sql',
    'repeatable/b_fails.sql',
  ]);
});

test('a script stays in the schema of its tenant', async () => {
  const fleet = await fleetWith({ 'a.sql': 'CREATE TABLE public.stolen ();' });
  const { tenants } = await fleet.migrate();
  expect(tenants.map(({ error }) => error?.code)).toEqual(FIVE.map(() => 'MIGRATION_OUTSIDE_SCHEMA'));
  await fleet.write(
    'a.sql',
    `-- migrate:up allow-outside:public.stolen\nCREATE TABLE IF NOT EXISTS public.stolen ();\n`,
  );
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 5 });
});

test('two runs at once apply each script once', async () => {
  const fleet = await fleetWith({ 'a.sql': logged('a', 'SELECT pg_sleep(0.05);') });
  const runs = await Promise.all([fleet.migrate({ retries: 0 }), fleet.migrate({ retries: 0 })]);
  expect(runs.map(({ totals }) => totals.failed)).toEqual([0, 0]);
  for (const id of FIVE) expect(await fleet.log(id)).toEqual(['a']);
});

test('a dry run shows what a script would do; nothing is done', async () => {
  const fleet = await fleetWith({ 'a.sql': logged('a') });
  const { plans } = await rehearseTenants(fleet.database, {
    folder: fleet.project.tenants,
    ...fleet.scripts,
  });
  expect(plans).toMatchObject([
    { targets: FIVE.map((clerkOrgId) => ({ clerkOrgId })), migrations: [{ name: 'repeatable/a.sql' }] },
  ]);
  expect(plans[0]?.migrations[0]?.statements).toEqual([logged('a')]);
  expect(await fleet.log('org_a')).toEqual([]);
});

test('what a script cannot be is refused, with what to do instead', async () => {
  const fleet = await fleetWith({ 'a.sql': '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n' });
  const invalid = { code: 'MIGRATION_INVALID', migration: 'repeatable/a.sql' };
  await expect(fleet.migrate()).rejects.toMatchObject(invalid);
  await fleet.write('a.sql', '-- migrate:up transaction:false\nSELECT 1;\n');
  await expect(fleet.migrate()).rejects.toMatchObject(invalid);
  const refused = async (text: string) => {
    await fleet.write('a.sql', text);
    return resultOf(await fleet.migrate(), 'org_a').error;
  };
  expect(await refused('CREATE INDEX CONCURRENTLY ON notes (id);')).toMatchObject({
    sqlstate: '25001',
    hint: expect.stringContaining('in a migration of its own') as string,
  });
  expect(await refused('CREATE TABLE notes (id int);')).toMatchObject({
    sqlstate: '42P07',
    hint: expect.stringContaining('CREATE OR REPLACE') as string,
  });
  await expect(fleet.migrate({ repeatableFolder: '/nowhere' })).rejects.toMatchObject({
    code: 'MIGRATIONS_FOLDER_MISSING',
    hint: expect.stringContaining('TENANT_REPEATABLE_DIR') as string,
  });
  await fleet.write('b.ts', 'export const up = 1;');
  await expect(fleet.migrate()).rejects.toMatchObject({ code: 'MIGRATION_INVALID', migration: 'b.ts' });
});

test('an older release does not put its scripts over those of a newer one', async () => {
  const fleet = await fleetWith({ 'a.sql': logged('new') });
  await fleet.add('3_extra.sql', createTable('extra'));
  await fleet.migrate();
  await fleet.project.remove('migrations/tenants/3_extra.sql');
  await fleet.write('a.sql', logged('old'));
  expect((await fleet.migrate({ allowNewerHistory: true })).totals).toMatchObject({
    upToDate: 5,
    changed: 0,
  });
  expect(await fleet.log('org_a')).toEqual(['new']);
});

test.each([true, false])(
  'a run that knows of no scripts leaves them to be applied again (compiled: %s)',
  async (compile) => {
    const fleet = await fleetWith({ 'a.sql': logged('a', 'CREATE OR REPLACE VIEW own AS SELECT 1 AS one;') });
    const unaware = { repeatableFolder: undefined, compile };
    const again = async () => {
      expect((await fleet.status()).repeatable).toMatchObject({ tenants: 5 });
      expect((await fleet.migrate({ compile })).totals).toMatchObject({ changed: 5, failed: 0 });
    };
    await again();
    await fleet.add('3_drop.sql', '-- migrate:up\nDROP VIEW own;\n-- migrate:down\nDROP VIEW own;\n');
    await fleet.migrate(unaware);
    await again();
    await fleet.rollback({ compile, extent: { to: '3_drop' } });
    await fleet.project.remove('migrations/tenants/3_drop.sql');
    await again();
    await fleet.add('4_drop.sql', '-- migrate:up transaction:false\nDROP VIEW own;\n');
    await fleet.migrate(unaware);
    await again();
    expect(await fleet.log('org_e')).toEqual(['a', 'a', 'a', 'a']);
  },
);

test('a resumed tenant gets the scripts that have changed meanwhile', async () => {
  const fleet = await fleetWith({ 'a.sql': logged('a') }, ['org_a', 'org_b']);
  await fleet.migrate();
  await suspendTenant(fleet.database, 'org_a');
  await fleet.write('a.sql', logged('a2'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
  const resumed = await resumeTenant(fleet.database, 'org_a', {
    folder: fleet.project.tenants,
    ...fleet.scripts,
  });
  expect(resumed).toMatchObject({ outcome: 'resumed', applied: ['repeatable/a.sql'] });
  expect(await fleet.log('org_a')).toEqual(['a', 'a2']);
});

test('seeds of a new tenant may use what scripts make, and neither they nor exec --write touch what is recorded', async () => {
  const fleet = await fleetWith(
    { 'one.sql': 'CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$;' },
    ['org_a'],
  );
  await fleet.project.write('seeds/tenants/1_notes.sql', 'INSERT INTO notes SELECT one();');
  const seedFolder = join(fleet.project.folder, 'seeds/tenants');
  const [made] = await provisionTenants(fleet.database, ['org_x'], {
    folder: fleet.project.tenants,
    seedFolder,
    ...fleet.scripts,
  });
  expect(made).toMatchObject({ outcome: 'provisioned', seeds: ['1_notes.sql'] });
  expect(made?.applied.at(-1)).toBe('repeatable/one.sql');
  await fleet.migrate();
  const run = { folder: fleet.project.tenants, ...fleet.scripts };
  expect((await seedTenants(fleet.database, { ...run, seedFolder })).totals).toMatchObject({ changed: 1 });
  expect((await writeTenants(fleet.database, { ...run, sql: 'DELETE FROM notes' })).totals).toMatchObject({
    changed: 2,
  });
  expect((await fleet.status()).repeatable).toEqual({ scripts: 1, tenants: 0 });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, changed: 0 });
});

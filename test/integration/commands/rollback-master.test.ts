import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rollbackMaster, type MasterLoss } from '../../../src/core/commands/rollback-master.ts';
import { catalogOf, contentOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createProject, createTable, knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

/** A database with three master migrations in two batches. */
async function threeMigrations(more: Readonly<Record<string, string>> = {}) {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open();
  const project = await createProject({ 'migrations/master/1_init_db.sql': INIT_SQL });
  const folder = project.master;
  await migrateMaster(database, { folder });
  await project.write('migrations/master/2_areas.sql', createTable('areas'));
  await project.write('migrations/master/3_categories.sql', createTable('categories'));
  for (const [path, text] of Object.entries(more)) await project.write(path, text);
  await migrateMaster(database, { folder });
  const addTenant = (id: string, schema: string) =>
    testDatabase.query(`INSERT INTO tenants (clerk_org_id, schema_name) VALUES ($1, $2)`, [id, schema]);
  const history = async () =>
    (await testDatabase.query<{ name: string }>('SELECT name FROM knex_migrations_master ORDER BY id')).map(
      (row) => row.name,
    );
  return { testDatabase, database, project, folder, addTenant, history };
}

test('the last batch is undone, newest first, and no more', async () => {
  const { database, folder, history, testDatabase } = await threeMigrations();
  const result = await rollbackMaster(database, { folder });
  expect(result).toMatchObject({ names: ['3_categories.sql', '2_areas.sql'], batch: 2 });
  expect(await history()).toEqual(['1_init_db.sql']);
  expect(await testDatabase.query(`SELECT to_regclass('areas') AS a`)).toEqual([{ a: null }]);
});

test('--to undoes down to that migration, inclusive', async () => {
  const { database, folder, history } = await threeMigrations();
  const result = await rollbackMaster(database, { folder, extent: { to: '3_categories' } });
  expect(result.names).toEqual(['3_categories.sql']);
  expect(await history()).toEqual(['1_init_db.sql', '2_areas.sql']);
});

test('--all undoes everything where there are no tenants, and up again gives the same catalog', async () => {
  const { testDatabase, database, folder, history } = await threeMigrations();
  const before = await catalogOf(testDatabase);
  const result = await rollbackMaster(database, { folder, extent: { all: true } });
  expect(result.names).toEqual(['3_categories.sql', '2_areas.sql', '1_init_db.sql']);
  expect(await history()).toEqual([]);
  await migrateMaster(database, { folder });
  expect(await catalogOf(testDatabase)).toEqual(before);
});

test('where nothing is applied there is nothing to undo, and that is no failure', async () => {
  const { database, folder } = await threeMigrations();
  await rollbackMaster(database, { folder, extent: { all: true } });
  expect(await rollbackMaster(database, { folder })).toMatchObject({ names: [], batch: 0 });
});

test('what would drop the registry while it has tenants is refused, and names them', async () => {
  const { testDatabase, database, folder, addTenant } = await threeMigrations();
  await addTenant('org_a', 'tid_a');
  await addTenant('org_b', 'tid_b');
  const before = await contentOf(testDatabase);
  for (const extent of [{ all: true } as const, { to: '1_init_db' }]) {
    const refusal = await refusalOf(rollbackMaster(database, { folder, extent }));
    expect(refusal.code).toBe('REGISTRY_IN_USE');
    expect(refusal.message).toContain('2 tenants: org_a, org_b');
  }
  expect(await contentOf(testDatabase)).toEqual(before);
  expect((await rollbackMaster(database, { folder })).names).toHaveLength(2);
});

/** Answers what a master rollback asks, and keeps the questions. */
function answering(isYes: boolean) {
  const asked: MasterLoss[] = [];
  const confirm = (loss: MasterLoss) => {
    asked.push(loss);
    return isYes;
  };
  return { asked, confirm };
}

test('shared tables are dropped while there are tenants only if somebody agrees, and nothing happens before', async () => {
  const { testDatabase, database, project, folder, addTenant } = await threeMigrations({
    'migrations/master/4_audit.js': knexMigration(
      `await knex.raw('CREATE SCHEMA audit; CREATE TABLE audit.entries (); ALTER TABLE areas RENAME TO regions');`,
      `await knex.raw('ALTER TABLE regions RENAME TO areas; DROP SCHEMA audit CASCADE');`,
    ),
  });
  await addTenant('org_a', 'tid_a');
  await addTenant('org_b', 'tid_b');
  const before = await contentOf(testDatabase);
  const no = answering(false);
  const refusal = await refusalOf(rollbackMaster(database, { folder, confirm: no.confirm }));
  expect(refusal.code).toBe('CONFIRMATION_REQUIRED');
  const loss = {
    tables: ['audit.entries', 'categories', 'regions'],
    unknown: [],
    tenants: ['org_a', 'org_b'],
  };
  expect(no.asked).toEqual([loss]);
  const after = (await contentOf(testDatabase)).filter((line) => !line.includes('tenantctl'));
  expect(after).toEqual(before.filter((line) => !line.includes('tenantctl')));

  const yes = answering(true);
  await rollbackMaster(database, { folder, confirm: yes.confirm });
  expect(yes.asked).toEqual([loss]);
  expect(await testDatabase.query(`SELECT to_regclass('categories') AS c`)).toEqual([{ c: null }]);

  // Nothing is asked about a rollback that drops no table, or where there are no tenants.
  const harmless =
    '-- migrate:up\nCREATE INDEX ON tenants (status);\n-- migrate:down\nDROP INDEX tenants_status_idx;';
  await project.remove('migrations/master/4_audit.js');
  await migrateMaster(database, { folder });
  await project.write('migrations/master/5_index.sql', harmless);
  await migrateMaster(database, { folder });
  await rollbackMaster(database, { folder, confirm: no.confirm });
  await testDatabase.query('DELETE FROM tenants');
  await rollbackMaster(database, { folder, confirm: no.confirm });
  expect(no.asked).toHaveLength(1);
});

test('downs outside a transaction are judged by their text before they begin', async () => {
  const outside = (up: string, down: string) =>
    `-- migrate:up transaction:false\n${up};\n-- migrate:down transaction:false\n${down};\n`;
  const { database, project, folder, addTenant } = await threeMigrations();
  await addTenant('org_a', 'tid_a');
  const { asked, confirm } = answering(false);
  const files = {
    '5_index.sql': outside('CREATE INDEX CONCURRENTLY area ON areas (id)', 'DROP INDEX CONCURRENTLY area'),
    '6_table.sql': outside('CREATE TABLE odd ()', 'DROP TABLE odd'),
    '7_function.js': knexMigration('', '', 'export const config = { transaction: false };'),
  };
  for (const [name, text] of Object.entries(files)) {
    await project.write(`migrations/master/${name}`, text);
    await migrateMaster(database, { folder });
  }
  const refused = () => refusalOf(rollbackMaster(database, { folder, confirm }));
  await refused();
  expect(asked.at(-1)).toEqual({ tables: [], unknown: ['7_function.js'], tenants: ['org_a'] });
  await rollbackMaster(database, { folder });
  await refused();
  expect(asked.at(-1)).toEqual({ tables: [], unknown: ['6_table.sql'], tenants: ['org_a'] });
  await rollbackMaster(database, { folder });
  expect(await rollbackMaster(database, { folder, confirm })).toMatchObject({ names: ['5_index.sql'] });
  expect(asked).toHaveLength(2);
});

test('a drop of the registry that hides in a later down is found when it has happened, and taken back', async () => {
  const { testDatabase, database, folder, addTenant } = await threeMigrations({
    'migrations/master/4_hidden.sql': '-- migrate:up\nSELECT 1;\n-- migrate:down\nDROP TABLE public.tenants;',
  });
  await addTenant('org_a', 'tid_a');
  const before = await contentOf(testDatabase);
  const refusal = await refusalOf(rollbackMaster(database, { folder, extent: { to: '4_hidden' } }));
  expect(refusal.code).toBe('REGISTRY_IN_USE');
  expect(refusal.message).toContain('1 tenant: org_a');
  expect(await contentOf(testDatabase)).toEqual(before);
});

test('a tenant that is registered while the registry is being dropped is not lost: it waits, and fails', async () => {
  const { testDatabase, database, folder, addTenant } = await threeMigrations({
    'migrations/master/2_areas.sql': `${createTable('areas')}\n${WAIT_AT_GATE}`,
  });
  const gate = await closeGate(testDatabase);
  const rollback = rollbackMaster(database, { folder, extent: { all: true } });
  await gate.reached();
  const registration = addTenant('org_late', 'tid_late').then(
    () => 'registered',
    () => 'failed',
  );
  expect(await Promise.race([registration, sleep(200, 'waits')])).toBe('waits');
  await gate.open();
  expect((await rollback).names).toContain('1_init_db.sql');
  expect(await registration).toBe('failed');
});

test('a down that fails leaves everything where it was, and says where', async () => {
  const { testDatabase, database, project, folder } = await threeMigrations();
  await project.write('migrations/master/2_areas.sql', '-- migrate:up\n-- migrate:down\nDROP TABLE area;');
  const before = await contentOf(testDatabase);
  const refusal = await refusalOf(rollbackMaster(database, { folder }));
  expect(refusal).toMatchObject({ code: 'MIGRATION_FAILED', migration: '2_areas.sql', sqlstate: '42P01' });
  expect(await contentOf(testDatabase)).toEqual(before);
});

test('a file that is gone, or has no down, stops the rollback before it begins', async () => {
  const { testDatabase, database, project, folder } = await threeMigrations();
  const before = await contentOf(testDatabase);
  await project.write('migrations/master/2_areas.sql', '-- migrate:up\nSELECT 1;');
  expect(await refusalOf(rollbackMaster(database, { folder }))).toMatchObject({
    code: 'MIGRATION_IRREVERSIBLE',
    migration: '2_areas.sql',
  });
  await project.remove('migrations/master/2_areas.sql');
  expect(await refusalOf(rollbackMaster(database, { folder }))).toMatchObject({
    code: 'MIGRATION_FILE_MISSING',
    migration: '2_areas.sql',
  });
  expect(await contentOf(testDatabase)).toEqual(before);
});

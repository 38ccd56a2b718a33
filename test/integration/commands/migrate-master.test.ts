import { expect, test } from 'vitest';
import { initProject } from '../../../src/core/files/scaffold.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { STATE_VERSION } from '../../../src/core/install/state-schema.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createProject, createTable, knexMigration, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const INIT = { 'migrations/master/1_init_db.sql': INIT_SQL };

async function emptyDatabase() {
  const testDatabase = await createDatabase();
  const query: typeof testDatabase.query = (text, values) => testDatabase.query(text, values);
  return { testDatabase, database: await testDatabase.open(), query };
}

test('the registry, the shared tables, the history and the schema tenantctl are created', async () => {
  const { database, query } = await emptyDatabase();
  const project = await createProject({ ...INIT, 'migrations/master/2_areas.sql': createTable('areas') });

  const result = await migrateMaster(database, { folder: project.master });

  expect(result).toMatchObject({ names: ['1_init_db.sql', '2_areas.sql'], batch: 1 });
  expect(await query(`SELECT name, batch FROM public.knex_migrations_master ORDER BY id`)).toEqual([
    { name: '1_init_db.sql', batch: 1 },
    { name: '2_areas.sql', batch: 1 },
  ]);
  expect(await query(`SELECT count(*)::int AS n FROM public.tenants, public.areas`)).toEqual([{ n: 0 }]);
  expect(await query('SELECT version FROM tenantctl.state_version')).toEqual([{ version: STATE_VERSION }]);
});

test("the history tables are Knex's own, column by column", async () => {
  const { database, query } = await emptyDatabase();
  const project = await createProject(INIT);
  await migrateMaster(database, { folder: project.master });
  const columns = await query<{ line: string }>(
    `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || coalesce(character_maximum_length::text, '')
            || ' ' || coalesce(column_default, '') AS line
     FROM information_schema.columns WHERE table_name LIKE 'knex_%' ORDER BY table_name, ordinal_position`,
  );
  expect(columns.map((column) => column.line)).toEqual([
    `knex_migrations_master.id integer  nextval('knex_migrations_master_id_seq'::regclass)`,
    'knex_migrations_master.name character varying 255 ',
    'knex_migrations_master.batch integer  ',
    'knex_migrations_master.migration_time timestamp with time zone  ',
    `knex_migrations_master_lock.index integer  nextval('knex_migrations_master_lock_index_seq'::regclass)`,
    'knex_migrations_master_lock.is_locked integer  ',
  ]);
});

test('a later run applies what is new, as the next batch, and then there is nothing to do', async () => {
  const { database, query } = await emptyDatabase();
  const project = await createProject(INIT);
  await migrateMaster(database, { folder: project.master });
  await project.write('migrations/master/2_areas.sql', createTable('areas'));

  expect(await migrateMaster(database, { folder: project.master })).toMatchObject({
    names: ['2_areas.sql'],
    batch: 2,
  });
  expect(await migrateMaster(database, { folder: project.master })).toMatchObject({ names: [], batch: 0 });
  expect(await query('SELECT count(*)::int AS n FROM knex_migrations_master')).toEqual([{ n: 2 }]);
});

test('--to stops there, inclusive', async () => {
  const { database } = await emptyDatabase();
  const project = await createProject({
    ...INIT,
    'migrations/master/2_areas.sql': createTable('areas'),
    'migrations/master/3_categories.sql': createTable('categories'),
  });
  const result = await migrateMaster(database, { folder: project.master, to: '2_areas' });
  expect(result.names).toEqual(['1_init_db.sql', '2_areas.sql']);
});

test('a first file that does not create the registry is refused with the remedy, and leaves nothing at all', async () => {
  const { testDatabase, database } = await emptyDatabase();
  const project = await createProject({
    'migrations/master/1_areas.sql': createTable('areas'),
    'migrations/master/2_init_db.sql': INIT_SQL,
  });
  const before = await catalogOf(testDatabase);
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal).toMatchObject({ code: 'INIT_MIGRATION_MISSING' });
  expect(refusal.message).toContain('1_areas.sql does not create the registry');
  expect(refusal.hint).toContain('Rename 2_init_db.sql');
  expect(await catalogOf(testDatabase)).toEqual(before);
});

test('tenantctl init after an older first migration is the way on, as the refusal says', async () => {
  const { database, query } = await emptyDatabase();
  const project = await createProject({ 'migrations/master/20200101000000_areas.sql': createTable('areas') });
  const folders = { folder: project.folder, masterFolder: project.master, tenantFolder: project.tenants };
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal.hint).toContain('Run tenantctl init, which writes the migration that creates it.');
  await initProject(folders);
  expect(await migrateMaster(database, { folder: project.master })).toMatchObject({ batch: 1 });

  // The same in a database that has a history, and lost its registry.
  await query("DROP TABLE tenants; DELETE FROM knex_migrations_master WHERE name ~ 'init_db'");
  await project.remove('migrations/master/00000000000000_init_db.ts');
  const lost = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(lost.hint).toContain(
    'Run tenantctl init, which writes the migration that creates it, then tenantctl migrate master --allow-out-of-order.',
  );
  await initProject(folders);
  expect(await migrateMaster(database, { folder: project.master, allowOutOfOrder: true })).toMatchObject({
    batch: 2,
  });
});

test('a registry made outside a transaction could be left half made: such a first file is refused unrun', async () => {
  const { testDatabase, database } = await emptyDatabase();
  const project = await createProject({
    'migrations/master/1_init_db.sql': INIT_SQL.replace('migrate:up', 'migrate:up transaction:false'),
  });
  const before = await catalogOf(testDatabase);
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal.code).toBe('INIT_MIGRATION_MISSING');
  expect(await catalogOf(testDatabase)).toEqual(before);
});

test('an empty folder and a missing one are refused, each with the way on', async () => {
  const { database } = await emptyDatabase();
  const project = await createProject();
  expect(await refusalOf(migrateMaster(database, { folder: project.master }))).toMatchObject({
    code: 'MIGRATIONS_FOLDER_EMPTY',
    hint: expect.stringContaining('tenantctl init'),
  });
  expect(await refusalOf(migrateMaster(database, { folder: `${project.master}-not` }))).toMatchObject({
    code: 'MIGRATIONS_FOLDER_MISSING',
  });
});

test('a migration that fails in the middle takes the whole run back, the registry included', async () => {
  const { testDatabase, database } = await emptyDatabase();
  const project = await createProject({
    ...INIT,
    'migrations/master/2_areas.sql': createTable('areas'),
    'migrations/master/3_bad.sql': '-- migrate:up\nCREATE TABLE half ();\nSELECT 1/0;',
    'migrations/master/4_never.sql': createTable('never'),
  });
  const before = await catalogOf(testDatabase);
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal).toMatchObject({ code: 'MIGRATION_FAILED', migration: '3_bad.sql', sqlstate: '22012' });
  expect(await catalogOf(testDatabase)).toEqual(before);
});

test('a file that is broken is found before anything is run', async () => {
  const { testDatabase, database } = await emptyDatabase();
  const project = await usualProject({ 'migrations/master/9_broken.js': 'export const down = 1;' });
  const before = await catalogOf(testDatabase);
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal).toMatchObject({ code: 'MIGRATION_INVALID', migration: '9_broken.js' });
  expect(await catalogOf(testDatabase)).toEqual(before);
});

test('a registry that was dropped by hand is not taken for one that is up to date', async () => {
  const { database, query } = await emptyDatabase();
  const project = await createProject(INIT);
  await migrateMaster(database, { folder: project.master });
  await query('DROP TABLE public.tenants');
  const refusal = await refusalOf(migrateMaster(database, { folder: project.master }));
  expect(refusal.code).toBe('INIT_MIGRATION_MISSING');
  expect(refusal.message).toContain('does not exist');
});

test('two at once on an empty database apply everything once', async () => {
  const { testDatabase, database, query } = await emptyDatabase();
  const other = await testDatabase.open();
  const project = await createProject({
    ...INIT,
    'migrations/master/2_slow.sql': `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE slow ();`,
  });
  const gate = await closeGate(testDatabase);
  const first = migrateMaster(database, { folder: project.master });
  await gate.reached();
  const second = migrateMaster(other, { folder: project.master });
  setTimeout(() => void gate.open(), 200);

  const applied = [...(await first).names, ...(await second).names];
  expect(applied).toEqual(['1_init_db.sql', '2_slow.sql']);
  expect(await query('SELECT count(*)::int AS n FROM knex_migrations_master')).toEqual([{ n: 2 }]);
});

test('who waits longer than allowed for another run is told so', async () => {
  const { testDatabase, database } = await emptyDatabase();
  const other = await testDatabase.open();
  const project = await createProject(INIT);
  await migrateMaster(database, { folder: project.master });
  await project.write('migrations/master/2_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}`);
  const gate = await closeGate(testDatabase);
  const first = migrateMaster(database, { folder: project.master });
  await gate.reached();
  const refusal = await refusalOf(migrateMaster(other, { folder: project.master, lockWaitMs: 100 }));
  expect(refusal).toMatchObject({ code: 'LOCK_TIMEOUT' });
  await gate.open();
  expect((await first).names).toEqual(['2_slow.sql']);
});

test('a file edited after it was applied is a warning, and stays as it was applied', async () => {
  const { database } = await emptyDatabase();
  const project = await createProject(INIT);
  await migrateMaster(database, { folder: project.master });
  await project.write('migrations/master/1_init_db.sql', `${INIT_SQL}-- edited\n`);
  const warnings: string[] = [];
  await migrateMaster(database, {
    folder: project.master,
    observe: (event) => event.type === 'warning' && warnings.push(event.message),
  });
  expect(warnings).toEqual([expect.stringContaining('Edited after it was applied: 1_init_db.sql')]);
});

test('master migrations see public alone, and userParams that say so', async () => {
  const { database, query } = await emptyDatabase();
  const project = await usualProject({
    'migrations/master/2_params.js': knexMigration(
      `await knex.raw("CREATE TABLE seen AS SELECT current_setting('search_path') AS path, ?::text AS params", [JSON.stringify(knex.userParams)]);`,
    ),
  });
  await migrateMaster(database, { folder: project.master });
  expect(await query('SELECT path, params FROM seen')).toEqual([
    { path: 'public', params: '{"schema":"public"}' },
  ]);
});

import { expect, test } from 'vitest';
import { markMigrations, planMarking, type MarkResult } from '../../../src/core/commands/mark-migrations.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { adoptTenants } from '../../../src/core/tenant/adopt.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { catalogOf, contentOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet, fleetOn } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createLeastRole } from '../../support/least-role.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const [NOTES, TAGS, LINKS] = [
  '20250101000001_notes.sql',
  '20250101000002_tags.sql',
  '20250101000003_links.sql',
];

const outcomes = (results: readonly MarkResult[]) =>
  Object.fromEntries(
    results.map(({ clerkOrgId, outcome, error }) => [clerkOrgId ?? 'master', error?.code ?? outcome]),
  );

/** Schemas that have their tables, and no history. */
async function adopted(...schemas: string[]) {
  const fleet = await createFleet([]);
  for (const schema of schemas)
    await fleet.query(`CREATE SCHEMA ${schema} CREATE TABLE notes (id int) CREATE TABLE tags (id int)`);
  await adoptTenants(
    fleet.database,
    schemas.map((schema) => ({ schema, clerkOrgId: `org_${schema}` })),
  );
  const historyOf = async (schema: string) => {
    const rows = await fleet.query<{ name: string; batch: number }>(
      `SELECT name, batch FROM ${schema}.knex_migrations_tenant ORDER BY id`,
    );
    return rows.map(({ name, batch }) => `${name}@${batch}`);
  };
  return { ...fleet, historyOf, folder: fleet.project.tenants };
}

test('migrations that schemas have already are recorded, as if they had been run, and the next one is applied', async () => {
  const fleet = await adopted('acme', 'globex', 'gone');
  const { database, folder, query } = fleet;
  await suspendTenant(database, 'org_gone');
  expect((await fleet.migrate({ retries: 0 })).totals).toMatchObject({ failed: 2 });
  const before = [await catalogOf(fleet.testDatabase), await contentOf(fleet.testDatabase)];
  const options = { folder, all: true };

  const planned = await planMarking(database, options);
  expect([await catalogOf(fleet.testDatabase), await contentOf(fleet.testDatabase)]).toEqual(before);
  const marks = await markMigrations(database, options);

  for (const results of [planned, marks.tenants])
    expect(results.map(({ schema, outcome, names, batch }) => [schema, outcome, names, batch])).toEqual([
      ['acme', 'marked', [NOTES, TAGS], 1],
      ['globex', 'marked', [NOTES, TAGS], 1],
    ]);
  expect(await fleet.historyOf('acme')).toEqual([`${NOTES}@1`, `${TAGS}@1`]);
  expect(await readRunTenants(database, marks.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: 'org_acme', outcome: 'marked', names: [NOTES, TAGS], batch: 1 },
    { clerkOrgId: 'org_globex', outcome: 'marked' },
  ]);
  expect(
    await query(`SELECT stem FROM tenantctl.migration_files WHERE scope = 'tenants' ORDER BY 1`),
  ).toHaveLength(2);
  expect(await query('SELECT FROM tenantctl.trusted_stamps')).toHaveLength(2);
  // The failures were those of the marked migrations.
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 2, failed: 0, notActive: 1 });

  await fleet.add(LINKS, createTable('links'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
  expect(await fleet.historyOf('globex')).toEqual([`${NOTES}@1`, `${TAGS}@1`, `${LINKS}@2`]);
  const again = await markMigrations(database, { ...options, include: ['SUSPENDED'] });
  expect(outcomes(again.tenants)).toEqual({
    org_acme: 'unchanged',
    org_globex: 'unchanged',
    org_gone: 'marked',
  });
});

test('a migration that would stay pending before a recorded one is refused, unless that is allowed', async () => {
  const fleet = await adopted('acme', 'globex');
  const { database, folder } = fleet;
  await fleet.add(LINKS, createTable('links'));
  const mark = (options: object) => markMigrations(database, { folder, tenants: ['org_acme'], ...options });

  const gap = (await mark({ names: ['20250101000003_links'] })).tenants[0];
  expect(gap?.error).toMatchObject({
    code: 'MIGRATION_OUT_OF_ORDER',
    migration: NOTES,
    hint: expect.stringContaining('--to 20250101000003_links') as string,
  });
  expect(outcomes((await mark({ names: [TAGS], allowOutOfOrder: true })).tenants)).toEqual({
    org_acme: 'marked',
  });
  // What fills a gap is not out of order.
  expect((await mark({ names: [NOTES] })).tenants).toMatchObject([
    { outcome: 'marked', names: [NOTES], batch: 2 },
  ]);
  expect((await mark({ to: LINKS })).tenants).toMatchObject([{ names: [LINKS], batch: 3 }]);
  expect(await fleet.historyOf('acme')).toEqual([`${TAGS}@1`, `${NOTES}@2`, `${LINKS}@3`]);
  expect(await fleet.query(`SELECT to_regclass('globex.knex_migrations_tenant') AS history`)).toEqual([
    { history: null },
  ]);

  expect(await refusalOf(mark({ names: ['nothing'] }))).toMatchObject({ code: 'MIGRATION_UNKNOWN' });
  for (const extent of [{}, { all: true, to: LINKS }, { names: [LINKS], all: true }])
    expect(await refusalOf(mark(extent))).toMatchObject({ code: 'USAGE' });
  expect(await refusalOf(mark({ all: true, tenants: ['org_nope'] }))).toMatchObject({
    code: 'TENANT_UNKNOWN',
  });
});

test('one tenant that cannot be marked does not keep the others from it', async () => {
  const fleet = await adopted('acme', 'busy', 'failed', 'newer', 'gone');
  const { database, folder, query } = fleet;
  await markMigrations(database, { folder, all: true, tenants: ['org_newer'] });
  await query(
    `INSERT INTO newer.knex_migrations_tenant (name, batch) VALUES ('20260101000000_newer.sql', 2)`,
  );
  await query(`UPDATE tenants SET status = 'FAILED' WHERE schema_name = 'failed'; DROP SCHEMA gone CASCADE`);
  const held = await holdLock(fleet.testDatabase, 'tenant:busy');
  const { tenants } = await markMigrations(database, {
    folder,
    all: true,
    tenants: ['acme', 'busy', 'failed', 'newer', 'gone'],
    lockWaitMs: 100,
  });
  await held.release();
  expect(outcomes(tenants)).toEqual({
    org_acme: 'marked',
    org_busy: 'LOCK_TIMEOUT',
    org_failed: 'TENANT_NOT_ACTIVE',
    org_newer: 'HISTORY_NEWER',
    org_gone: 'SCHEMA_MISSING',
  });
});

test('master migrations are recorded in the history of public, where another tool has made the registry', async () => {
  const project = await usualProject();
  const testDatabase = await createDatabase();
  await testDatabase.query(INIT_SQL.replace(/-- migrate:down[^]*/, ''));
  const fleet = fleetOn(testDatabase, await testDatabase.open(), project);
  const marks = await markMigrations(fleet.database, { folder: project.master, all: true, master: true });
  expect(marks.tenants).toMatchObject([{ clerkOrgId: null, schema: 'public', outcome: 'marked', batch: 1 }]);
  expect((await migrateMaster(fleet.database, { folder: project.master })).names).toEqual([]);
  expect(await fleet.provision('org_a')).toMatchObject([{ outcome: 'provisioned' }]);
});

test("with a role of its own, a tenant's history belongs to tenantctl, and its migrations go on", async () => {
  const least = await createLeastRole('CREATEROLE');
  const project = await usualProject();
  const tenantRole = `${least.prefix}_{schema}`;
  const database = await least.open();
  const fleet = fleetOn(least.testDatabase, database, project);
  await migrateMaster(database, { folder: project.master });
  const [A, owner] = [schemaNameFor('org_a'), `${least.prefix}_owner`];
  await fleet.query(`CREATE ROLE ${owner}; GRANT ${owner} TO ${least.name};
    CREATE SCHEMA ${A} AUTHORIZATION ${owner}; CREATE TABLE ${A}.notes (id int); ALTER TABLE ${A}.notes OWNER TO ${owner}`);
  await adoptTenants(database, [{ schema: A, clerkOrgId: 'org_a' }]);
  await markMigrations(database, { folder: project.tenants, tenantRole, names: [NOTES] });
  expect((await fleet.migrate({ tenantRole })).totals).toMatchObject({ changed: 1, failed: 0 });
  expect(
    await fleet.query(
      `SELECT tablename AS name, tableowner AS owner FROM pg_tables WHERE schemaname = $1 ORDER BY 1`,
      [A],
    ),
  ).toEqual([
    { name: 'knex_migrations_tenant', owner: least.name },
    { name: 'knex_migrations_tenant_lock', owner: least.name },
    { name: 'notes', owner },
    { name: 'tags', owner },
  ]);
});

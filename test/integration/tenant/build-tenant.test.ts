import { expect, test } from 'vitest';
import { readMigrationFolder } from '../../../src/core/files/source.ts';
import { registerTenants } from '../../../src/core/registry/register-tenants.ts';
import { assertRegistry } from '../../../src/core/registry/registry-shape.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createRunContext } from '../../../src/core/run/run-context.ts';
import { buildTenant, discardBuild, type Build } from '../../../src/core/tenant/build/build-tenant.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createTable } from '../../support/project.ts';
import { contentsOf } from '../../support/tenant-content.ts';

const OUTSIDE =
  '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_it ON notes (id);\n-- migrate:down\n';

async function buildIn(fleet: TestFleet, clerkOrgId: string, more: Partial<Build> = {}): Promise<Build> {
  const { database } = fleet;
  const schema = schemaNameFor(clerkOrgId);
  await registerTenants(database, await assertRegistry(database), [{ clerkOrgId, schema }]);
  return {
    context: createRunContext(database),
    clerkOrgId,
    schema,
    folder: await readMigrationFolder(fleet.project.tenants),
    migrations: (await fleet.history('org_a')).map((entry) => entry.replace(/@.*/, '')),
    role: undefined,
    statuses: ['PROVISIONING'],
    verb: 'restore',
    details: {},
    ...more,
  };
}

test('a schema is built at the version of another, in the order of its history, and stays unfinished', async () => {
  const fleet = await createFleet([]);
  await fleet.add('3_index.sql', OUTSIDE);
  await fleet.add('5_links.sql', createTable('links'));
  await fleet.provision('org_a');
  await fleet.add('4_late.sql', '-- migrate:up\nALTER TABLE links ADD late int;\n-- migrate:down\n');
  await fleet.migrate({ allowOutOfOrder: true });
  await fleet.add('6_newer.sql', createTable('newer'));

  const build = await buildIn(fleet, 'org_b');
  const built = await buildTenant(build);
  expect(built).toMatchObject({ kind: 'done' });
  const rows = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('row knex'));
  const [a = [], b = []] = await contentsOf(fleet, ['org_a', 'org_b']);
  expect(rows(b)).toEqual(rows(a));
  const names = (history: readonly string[]) => history.map((entry) => entry.replace(/@.*/, ''));
  expect(names(await fleet.history('org_b'))).toEqual(names(await fleet.history('org_a')));

  const [provisioned] = await fleet.provision('org_b');
  expect(provisioned?.error).toMatchObject({ code: 'TENANT_UNFINISHED' });
  expect(await fleet.query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_b'`)).toEqual([
    { status: 'PROVISIONING' },
  ]);

  // What an earlier attempt has left is dropped, and all of it can be taken back.
  await fleet.query(`CREATE TABLE ${build.schema}.left_over ()`);
  expect(await buildTenant(build)).toMatchObject({ kind: 'done' });
  expect(await fleet.tables('org_b')).not.toContain('left_over');
  await discardBuild(build, []);
  expect(await fleet.tables('org_b')).toEqual([]);
  expect(await fleet.query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
});

test('a schema that exists, a lock that is held and a migration that is missing stop it before anything is made', async () => {
  const fleet = await createFleet(['org_a', 'org_x']);
  const existing = await buildIn(fleet, 'org_x', { statuses: ['ACTIVE'] });
  expect(await buildTenant(existing)).toMatchObject({
    kind: 'failed',
    error: { code: 'TENANT_EXISTS', tenant: 'org_x' },
  });
  const build = await buildIn(fleet, 'org_b');
  const lock = await holdLock(fleet.testDatabase, `tenant:${build.schema}`);
  expect(await buildTenant(build)).toEqual({ kind: 'busy' });
  await lock.release();
  expect(await buildTenant({ ...build, migrations: ['9_nowhere.sql'] })).toMatchObject({
    kind: 'failed',
    error: { code: 'MIGRATION_FILE_MISSING', migration: '9_nowhere.sql' },
  });
  expect(await buildTenant({ ...build, statuses: ['ARCHIVED'] })).toMatchObject({
    error: { code: 'TENANT_NOT_ACTIVE' },
  });
  expect(await fleet.tables('org_b')).toEqual([]);
  expect(await fleet.query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
});

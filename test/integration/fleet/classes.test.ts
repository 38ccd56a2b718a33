import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];
const counts = (some: object) => ({
  total: 0,
  upToDate: 0,
  behind: 0,
  failed: 0,
  notActive: 0,
  broken: 0,
  ...some,
});

/** The classes as status counts them, which has to be what it lists one by one. */
async function statusCounts(fleet: TestFleet): Promise<object> {
  const status = await fleet.status();
  const { byStatus, ...tenants } = status.tenants;
  expect(Object.values(byStatus).reduce((sum, count) => sum + count, 0)).toBe(tenants.total);
  const all = await fleet.status({ listAll: true });
  expect(all.tenants).toEqual({ ...tenants, byStatus });
  expect(all.versions).toEqual(status.versions);
  const listed = Map.groupBy(all.states, (state) => state.class);
  expect(tenants).toEqual(
    counts({
      total: all.states.length,
      ...Object.fromEntries([...listed].map(([of, states]) => [of, states.length])),
    }),
  );
  return tenants;
}

const setStatus = (fleet: TestFleet, organization: string, status: string) =>
  fleet.query('UPDATE tenants SET status = $2 WHERE clerk_org_id = $1', [organization, status]);
const dropSchema = (fleet: TestFleet, organization: string) =>
  fleet.query(`DROP SCHEMA ${schemaNameFor(organization)} CASCADE`);

test('a late file makes every tenant failed, for status and for the run, before an attempt and after it', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.add('1_5_late.sql', createTable('late'));
  const failed = counts({ total: 5, failed: 5 });
  expect(await statusCounts(fleet)).toEqual(failed);
  const refused = await fleet.migrate();
  expect(refused).toMatchObject({ totals: { selected: 5, failed: 5 }, fleet: failed });
  expect(await statusCounts(fleet)).toEqual(failed);
  // Whoever is selected is counted, and nobody else.
  expect((await fleet.migrate({ tenants: ['org_a', 'org_b'] })).fleet).toEqual(
    counts({ total: 2, failed: 2 }),
  );

  const allowed = await fleet.migrate({ allowOutOfOrder: true });
  expect(allowed).toMatchObject({ totals: { changed: 5 }, fleet: counts({ total: 5, upToDate: 5 }) });
  expect(await statusCounts(fleet)).toEqual(counts({ total: 5, upToDate: 5 }));
});

test('a fleet with everything in it: status and runs count the same classes, and they add up', async () => {
  const fleet = await createFleet([...FIVE, 'org_f', 'org_g', 'org_h', 'org_i']);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_b')}.links (id int)`);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_c')}.links (id int)`);
  await dropSchema(fleet, 'org_d');
  await fleet.add('3_links.sql', createTable('links'));
  // An archived one that has failed before and lost its schema, a suspended one that is behind, a word of another tool.
  await fleet.migrate({ tenants: ['org_c'] });
  await setStatus(fleet, 'org_c', 'ARCHIVED');
  await dropSchema(fleet, 'org_c');
  await setStatus(fleet, 'org_e', 'SUSPENDED');
  await setStatus(fleet, 'org_f', 'trial');
  await fleet.query(
    `INSERT INTO ${schemaNameFor('org_g')}.knex_migrations_tenant (name, batch, migration_time) VALUES ('0_gone.sql', 2, now())`,
  );
  await fleet.query(`UPDATE ${schemaNameFor('org_h')}.knex_migrations_tenant_lock SET is_locked = 1`);
  await setStatus(fleet, 'org_i', 'FAILED');
  await dropSchema(fleet, 'org_i');
  // Before the run: org_d and org_g are broken, org_i is failed, org_a, org_b and org_h are behind.
  expect(await statusCounts(fleet)).toEqual(
    counts({ total: 9, behind: 3, failed: 1, notActive: 3, broken: 2 }),
  );
  const after = counts({ total: 9, upToDate: 1, failed: 3, notActive: 3, broken: 2 });
  const run = await fleet.migrate();
  expect(run.fleet).toEqual(after);
  expect(run.notActive).toEqual({ ARCHIVED: 1, FAILED: 1, SUSPENDED: 1, trial: 1 });
  expect(await statusCounts(fleet)).toEqual(after);
  expect((await fleet.migrate({ verify: true })).fleet).toEqual(after);
  // Renamed from .sql to .js, it is the same migration.
  await fleet.project.remove('migrations/tenants/20250101000002_tags.sql');
  await fleet.add(
    '20250101000002_tags.js',
    'export async function up() {}\nexport async function down() {}\n',
  );
  expect(await statusCounts(fleet)).toEqual(after);
  // Removed, every history disagrees.
  await fleet.project.remove('migrations/tenants/20250101000002_tags.js');
  expect(await statusCounts(fleet)).toEqual(counts({ total: 9, failed: 1, notActive: 3, broken: 5 }));
});

test('with retryFailed the classes are those of the selection, whether there was work or not', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_b')}.links (id int)`);
  await fleet.add('3_links.sql', createTable('links'));
  expect((await fleet.migrate()).fleet).toEqual(counts({ total: 5, upToDate: 4, failed: 1 }));
  const again = await fleet.migrate({ retryFailed: true });
  expect(again).toMatchObject({ totals: { selected: 1, failed: 1 }, fleet: counts({ total: 1, failed: 1 }) });
  await fleet.query(`DROP TABLE ${schemaNameFor('org_b')}.links`);
  const run = again.run;
  expect((await fleet.migrate({ retryFailed: run })).fleet).toEqual(counts({ total: 1, upToDate: 1 }));
  expect((await fleet.migrate({ retryFailed: run })).fleet).toEqual(counts({ total: 1, upToDate: 1 }));
  // What a rollback of one run selects, likewise.
  const undone = await fleet.rollback({ extent: { run: run ?? 0 } });
  expect(undone.fleet?.total).toBe(undone.totals.selected);
});

test('an empty list of tenants selects no tenants: nothing is done', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_b')}.links (id int)`);
  const failedRun = await fleet.add('3_links.sql', createTable('links')).then(() => fleet.migrate());
  await fleet.query(`DROP TABLE ${schemaNameFor('org_b')}.links`);
  const nothing = {
    totals: { selected: 0, upToDate: 0, changed: 0, failed: 0, skipped: 0 },
    fleet: counts({}),
    tenants: [],
  };
  expect(await fleet.migrate({ tenants: [] })).toMatchObject(nothing);
  expect(await fleet.migrate({ tenants: [], retryFailed: true })).toMatchObject(nothing);
  expect(await fleet.migrate({ tenants: [], rollout: { canary: { count: 1 } } })).toMatchObject(nothing);
  expect(await fleet.rollback({ tenants: [] })).toMatchObject(nothing);
  const extent = { run: failedRun.run ?? 0 };
  expect(await fleet.rollback({ tenants: [], extent })).toMatchObject(nothing);
  expect(await statusCounts(fleet)).toEqual(counts({ total: 2, upToDate: 1, failed: 1 }));
});

test('tenants without stamps are counted by their histories', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.query('DELETE FROM tenantctl.stamps');
  await fleet.query(`DELETE FROM ${schemaNameFor('org_a')}.knex_migrations_tenant WHERE name LIKE '%tags%'`);
  await fleet.query(`DELETE FROM ${schemaNameFor('org_b')}.knex_migrations_tenant WHERE name LIKE '%notes%'`);
  expect(await statusCounts(fleet)).toEqual(counts({ total: 5, upToDate: 3, behind: 1, failed: 1 }));
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rollbackMaster } from '../../../src/core/commands/rollback-master.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createDatabase } from '../../support/database.ts';
import { fleetOn, resultOf } from '../../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../../support/gate.ts';
import {
  commonJs,
  KNEX_TABLE,
  originProject,
  plainKnex,
  provisionByKnex,
  typeScript,
} from '../../support/knex-project.ts';

const ORGANIZATIONS = ['default_tenant', 'org_b'];
const SETTINGS = '20251103123600_org_settings_table.js';

/** A database and a project that Knex has been migrating, with two tenants. */
async function migratedByKnex() {
  const testDatabase = await createDatabase();
  const project = await originProject();
  await plainKnex(testDatabase, project).migrate.latest();
  for (const id of ORGANIZATIONS) await provisionByKnex(testDatabase, project, id);
  const database = await testDatabase.open();
  const fleet = fleetOn(testDatabase, database, project);
  const knexFor = (organization?: string) => plainKnex(testDatabase, project, organization);
  const addSettings = () =>
    project.write(`src/tenants/migrations/${SETTINGS}`, commonJs(...KNEX_TABLE('org_settings')));
  return { testDatabase, project, database, fleet, knexFor, addSettings };
}

test('what Knex has applied is not applied again, and what is new is applied on top of it', async () => {
  const { testDatabase, project, database, fleet, addSettings } = await migratedByKnex();
  const before = (await catalogOf(testDatabase)).filter((line) => !line.includes('tenantctl'));
  expect(await migrateMaster(database, { folder: project.master })).toMatchObject({ names: [] });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, changed: 0, failed: 0 });
  const after = (await catalogOf(testDatabase)).filter((line) => !line.includes('tenantctl'));
  expect(after).toEqual(before);

  await addSettings();
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
  expect(await fleet.history('default_tenant')).toEqual([
    '20251103123400_tenant_init_db.js@1',
    '20251103123500_org_users_table.js@1',
    `${SETTINGS}@2`,
  ]);
});

test('so it is when the files have become TypeScript in the meantime; the history keeps its names', async () => {
  const { project, database, fleet } = await migratedByKnex();
  await project.remove('src/master/migrations/20251103123300_focus_area_table.js');
  await project.write(
    'src/master/migrations/20251103123300_focus_area_table.ts',
    typeScript(...KNEX_TABLE('focus_areas')),
  );
  await project.remove('src/tenants/migrations/20251103123500_org_users_table.js');
  await project.write(
    'src/tenants/migrations/20251103123500_org_users_table.ts',
    typeScript(...KNEX_TABLE('org_users')),
  );
  await project.write('src/tenants/migrations/20251103123600_next.ts', typeScript(...KNEX_TABLE('next')));
  expect(await migrateMaster(database, { folder: project.master })).toMatchObject({ names: [] });
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
  expect(await fleet.history('org_b')).toContain('20251103123500_org_users_table.js@1');

  await fleet.rollback();
  // Plain Knex applied all that is left: the ledger does not know whether it may go.
  expect(resultOf(await fleet.rollback(), 'org_b').outcome).toBe('skipped');
  expect(resultOf(await fleet.rollback({ tenants: ['org_b'] }), 'org_b').names).toEqual([
    '20251103123500_org_users_table.js',
    '20251103123400_tenant_init_db.js',
  ]);
  expect(await fleet.history('org_b')).toEqual([]);
});

test('after tenantctl, Knex finds nothing to do', async () => {
  const { project, database, fleet, knexFor, addSettings } = await migratedByKnex();
  await addSettings();
  await project.write('src/master/migrations/20251103123900_more.js', commonJs(...KNEX_TABLE('more')));
  await migrateMaster(database, { folder: project.master });
  await fleet.migrate();
  expect(await fleet.provision('org_new')).toMatchObject([{ outcome: 'provisioned' }]);
  for (const id of [undefined, ...ORGANIZATIONS, 'org_new']) {
    const [, names] = (await knexFor(id).migrate.latest()) as [number, string[]];
    expect(names).toEqual([]);
  }
});

test('Knex can undo what tenantctl has applied, and tenantctl what Knex has applied', async () => {
  const { project, database, fleet, knexFor, addSettings } = await migratedByKnex();
  await addSettings();
  await fleet.migrate();
  const [batch, names] = (await knexFor('org_b').migrate.rollback()) as [number, string[]];
  expect([batch, names]).toEqual([2, [SETTINGS]]);
  expect(await fleet.tables('org_b')).toEqual(['chat_messages', 'org_users']);

  await knexFor('org_b').migrate.latest();
  expect((await fleet.rollback({ tenants: ['org_b'] })).totals).toMatchObject({ changed: 1 });
  expect(await fleet.tables('org_b')).toEqual(['chat_messages', 'org_users']);

  await fleet.query('DELETE FROM tenants');
  expect((await rollbackMaster(database, { folder: project.master })).names).toHaveLength(2);
});

test("a row left in Knex's lock table stops that schema only, and the remedy works when followed", async () => {
  const { fleet, addSettings } = await migratedByKnex();
  await addSettings();
  await fleet.query(
    `UPDATE ${schemaNameFor('default_tenant')}.knex_migrations_tenant_lock SET is_locked = 1`,
  );
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_b').outcome).toBe('migrated');
  const { error } = resultOf(result, 'default_tenant');
  expect(error).toMatchObject({ code: 'KNEX_LOCKED', tenant: 'default_tenant' });
  expect(error?.message).toContain("Knex's own lock");
  expect((await fleet.status()).states[0]?.attention?.code).toBe('KNEX_LOCKED');
  expect(await fleet.history('default_tenant')).toHaveLength(2);

  await fleet.query(/UPDATE [^;]+;/.exec(error?.hint ?? '')?.[0] ?? 'no remedy');
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 1 });
});

test('the same of the master schema', async () => {
  const { project, database, fleet } = await migratedByKnex();
  await fleet.query('UPDATE knex_migrations_master_lock SET is_locked = 1');
  await expect(migrateMaster(database, { folder: project.master })).rejects.toMatchObject({
    code: 'KNEX_LOCKED',
    hint: expect.stringContaining('UPDATE "public"."knex_migrations_master_lock" SET is_locked = 0;'),
  });
});

test('while a Knex is at work on a tenant, that tenant is left to it', async () => {
  const { project, fleet, knexFor } = await migratedByKnex();
  await project.write(
    `src/tenants/migrations/${SETTINGS}`,
    commonJs(`await knex.raw('${WAIT_AT_GATE}');`, ''),
  );
  const gate = await closeGate(fleet.testDatabase);
  const knex = knexFor('default_tenant').migrate.latest();
  await gate.reached();
  const run = fleet.migrate({ tenants: ['default_tenant'] });
  expect(resultOf(await run, 'default_tenant').error).toMatchObject({ code: 'KNEX_LOCKED' });
  await gate.open();
  await knex;
  expect(resultOf(await fleet.migrate(), 'default_tenant').outcome).toBe('up-to-date');
  expect(await fleet.history('default_tenant')).toHaveLength(3);
});

test('while tenantctl is at work on a tenant, a Knex that starts there waits, and then finds nothing to do', async () => {
  const { project, fleet, knexFor } = await migratedByKnex();
  await project.write(
    `src/tenants/migrations/${SETTINGS}`,
    commonJs(
      'await knex.raw("SELECT pg_sleep(0.5)"); await knex.schema.createTable("once", (t) => t.increments());',
      '',
    ),
  );
  const run = fleet.migrate({ tenants: ['org_b'] });
  await until(
    async () =>
      (
        await fleet.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()`,
        )
      ).length > 0,
    'the migration to be at work',
  );
  await sleep(20);
  const outcome = await knexFor('org_b')
    .migrate.latest()
    .then(
      ([, names]: [number, string[]]) => names,
      (error: Error) => error.message,
    );
  expect(resultOf(await run, 'org_b').outcome).toBe('migrated');
  expect(await fleet.history('org_b')).toHaveLength(3);
  // Knex had looked at the folder and the history before it waited: it may refuse, but it never applies twice.
  expect(outcome).not.toContain(SETTINGS);
});

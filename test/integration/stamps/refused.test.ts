import { describe, expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import type { MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { buildBigFleet } from '../../support/big-fleet.ts';
import { createDatabase } from '../../support/database.ts';
import { fleetOn, type TestFleet } from '../../support/fleet.ts';
import { commonJs } from '../../support/knex-project.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createProject, type TestProject } from '../../support/project.ts';
import { createOwner } from '../../support/role.ts';
import { expectTruth, historyOf, ifMissing, stamped } from '../../support/stamps.ts';
import { watchWays } from '../../support/ways.ts';

/* Where a tenant cannot be stamped, everything works as it does elsewhere: what it has applied is read each time. */

const FILES = {
  'package.json': '{"name":"refused"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/tenants/1_notes.js': ifMissing('notes'),
};

/** Changes a table, and needs no right but to own it. */
const MORE = commonJs(
  `await knex.raw('ALTER TABLE notes ADD COLUMN IF NOT EXISTS more int');`,
  `await knex.raw('ALTER TABLE notes DROP COLUMN more');`,
);

const NEW = ['org_n1', 'org_n2', 'org_n3', 'org_n4', 'org_n5'];

function listener(): { notes: string[]; observe: MigrateTenantsOptions['observe'] } {
  const notes: string[] = [];
  return { notes, observe: (event) => event.type === 'note' && notes.push(event.message) };
}

const forget = (id: string, name: string) => `DELETE FROM ${historyOf(id)} WHERE name = '${name}'`;

const refusal = (condition: string) => `
  CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
    IF current_setting('application_name') = 'tenantctl' THEN
      RAISE EXCEPTION 'triggers are not supported here' USING ERRCODE = '${condition}';
    END IF;
  END$$;
  CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION public.refuse()`;

describe.each(['feature_not_supported', 'internal_error'])(
  'a server that refuses triggers (%s)',
  (condition) => {
    async function triggerless(): Promise<TestFleet> {
      const testDatabase = await createDatabase();
      const database = await testDatabase.open(6);
      const project = await createProject(FILES);
      await migrateMaster(database, { folder: project.master });
      await testDatabase.query(refusal(condition));
      return fleetOn(testDatabase, database, project);
    }

    test('provision, migrate, status and rollback work, and say why there are no stamps', async () => {
      const fleet = await triggerless();
      expect(await fleet.provision(...NEW)).toMatchObject(NEW.map(() => ({ outcome: 'provisioned' })));
      expect(await stamped(fleet)).toEqual([]);

      const { notes, observe } = listener();
      expect((await fleet.migrate({ observe })).totals).toMatchObject({ upToDate: 5, failed: 0 });
      expect(notes).toEqual([
        expect.stringMatching(
          /^5 tenants without a stamp, .*: (0A000|XX000): triggers are not supported here$/,
        ),
      ]);

      const ways = await watchWays(fleet);
      await fleet.add('2_more.js', MORE);
      expect((await fleet.migrate()).totals).toMatchObject({ changed: 5, failed: 0 });
      expect([...(await ways()).values()].filter((way) => way === 'in one string')).toHaveLength(3);
      await expectTruth(fleet, ...NEW);
      expect((await fleet.rollback()).totals).toMatchObject({ changed: 5, failed: 0 });
      expect((await fleet.status()).tenants).toMatchObject({ upToDate: 0, behind: 5, failed: 0 });
      await expectTruth(fleet, ...NEW);
    });

    test('whatever is done to a history is seen at once', async () => {
      const fleet = await triggerless();
      await fleet.provision(...NEW);
      await fleet.query(forget('org_n2', '1_notes.js'));
      expect((await fleet.status()).states).toMatchObject([
        { tenant: { clerkOrgId: 'org_n2' }, pending: ['1_notes.js'] },
      ]);
      expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 4, changed: 1 });
      await fleet.query(`UPDATE ${historyOf('org_n3')}_lock SET is_locked = 1`);
      expect((await fleet.status()).states).toMatchObject([
        { tenant: { clerkOrgId: 'org_n3' }, attention: { code: 'KNEX_LOCKED' } },
      ]);
    });

    test('a fleet whose stamps were made before keeps them for as long as they are true', async () => {
      const fleet = await triggerless();
      await fleet.query('ALTER EVENT TRIGGER refuse DISABLE');
      await fleet.provision(...NEW);
      await fleet.query('ALTER EVENT TRIGGER refuse ENABLE');
      expect(await stamped(fleet)).toEqual(NEW);
      await fleet.query(`DROP TRIGGER tenantctl_unstamp ON ${historyOf('org_n4')}`);
      await fleet.query(forget('org_n4', '1_notes.js'));
      expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 4, changed: 1 });
      expect(await stamped(fleet)).toEqual(NEW.filter((id) => id !== 'org_n4'));
      await expectTruth(fleet, ...NEW);
    });
  },
);

describe.each([
  ['does not own the histories', 'ALL', /must be owner of table knex_migrations_tenant/],
  ['may not create functions in the schemas', 'USAGE', /permission denied for schema/],
])('a role that %s', (_, rightsOnSchema, why) => {
  /** Tenants that another role has made and migrated with Knex; their table is the role's own. */
  async function foreignTenants(): Promise<{ fleet: TestFleet; ids: string[]; project: TestProject }> {
    const testDatabase = await createDatabase();
    const role = await createOwner(testDatabase, 'not-a-secret');
    const settings = { ...testDatabase.settings, user: role.name, password: 'not-a-secret' };
    const database = await openDatabase(settings, { maxConnections: 6 });
    onTestFinished(() => database.close());
    const project = await createProject(FILES);
    await migrateMaster(database, { folder: project.master });
    const ids = await buildBigFleet(testDatabase.url, 5, { name: '1_notes.js', table: 'notes' });
    await testDatabase.query(`DO $$ DECLARE s text; BEGIN
      FOR s IN SELECT schema_name FROM public.tenants LOOP
        EXECUTE format('GRANT ${rightsOnSchema} ON SCHEMA %I TO ${role.name}', s);
        EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO ${role.name}', s);
        EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %I TO ${role.name}', s);
        EXECUTE format('ALTER TABLE %I.notes OWNER TO ${role.name}', s);
      END LOOP;
    END $$`);
    return { fleet: fleetOn(testDatabase, database, project), ids, project };
  }

  test('migrates, rolls back and sees the truth, and is told why there are no stamps', async () => {
    const { fleet, ids } = await foreignTenants();
    const { notes, observe } = listener();
    expect((await fleet.migrate({ observe })).totals).toMatchObject({ upToDate: 5, failed: 0 });
    expect(notes).toEqual(notes.map(() => expect.stringMatching(why)));
    expect(notes).not.toEqual([]);
    expect(await stamped(fleet)).toEqual([]);

    const ways = await watchWays(fleet);
    await fleet.add('2_more.js', MORE);
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 5, failed: 0 });
    expect([...(await ways()).values()].filter((way) => way === 'in one string')).toHaveLength(3);
    await expectTruth(fleet, ...ids);
    await fleet.query(forget('org_000001', '2_more.js'));
    expect((await fleet.status()).states).toMatchObject([
      { tenant: { clerkOrgId: 'org_000001' }, pending: ['2_more.js'] },
    ]);
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 4, changed: 1 });
    expect((await fleet.rollback()).totals).toMatchObject({ changed: 5, failed: 0 });
    await expectTruth(fleet, ...ids);
  });

  test('stamps the tenants that it provisions itself, beside those', async () => {
    const { fleet, ids } = await foreignTenants();
    await fleet.provision(...NEW);
    expect(await stamped(fleet)).toEqual(NEW);
    await fleet.add('2_more.js', MORE);
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 10, failed: 0 });
    expect(await stamped(fleet)).toEqual(NEW);
    await expectTruth(fleet, ...ids, ...NEW);
  });
});

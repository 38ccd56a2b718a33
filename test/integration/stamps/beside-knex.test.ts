import { describe, expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/gate.ts';
import { commonJs, plainKnex } from '../../support/knex-project.ts';
import { createProject } from '../../support/project.ts';
import { expectTruth, FORGIVING, historyOf, ifMissing, session, stamped } from '../../support/stamps.ts';

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** Fails where it is applied twice, and waits while somebody has locked the tenant's notes. */
const ONCE = commonJs(
  `await knex.raw('ALTER TABLE notes ADD COLUMN once int');`,
  `await knex.raw('ALTER TABLE notes DROP COLUMN once');`,
);

const createForgiving = async () => createFleet(FIVE, { project: await createProject(FORGIVING) });

test('while Knex is in the middle of a migration of one tenant, the others are migrated, and it is left to Knex', async () => {
  const fleet = await createForgiving();
  await fleet.add('3_once.js', ONCE);
  const holder = await session(fleet);
  onTestFinished(async () => {
    await holder.query('ROLLBACK');
  });
  await holder.query('BEGIN');
  await holder.query(`LOCK TABLE ${schemaNameFor('org_d')}.notes IN ACCESS SHARE MODE`);
  const knexAtWork = plainKnex(fleet.testDatabase, fleet.project, 'org_d').migrate.latest();
  await until(
    async () =>
      (
        await fleet.query(
          `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '${schemaNameFor('org_d')}.notes'::regclass`,
        )
      ).length > 0,
    'Knex to wait for the table',
  );
  const run = await fleet.migrate({ lockTimeoutMs: 500 });
  expect(run.totals).toMatchObject({ changed: 4, failed: 1 });
  expect(resultOf(run, 'org_d').error).toMatchObject({ code: 'KNEX_LOCKED' });
  await expectTruth(fleet, ...FIVE);

  await holder.query('ROLLBACK');
  expect(await knexAtWork).toEqual([2, ['3_once.js']]);
  expect((await fleet.status()).states).toMatchObject([{ tenant: { clerkOrgId: 'org_d' }, pending: [] }]);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5, changed: 0, failed: 0 });
  expect(await stamped(fleet)).toEqual(FIVE);
  await expectTruth(fleet, ...FIVE);
  expect((await fleet.status()).states).toEqual([]);
});

test('Knex and tenantctl at once over all tenants: each is migrated once, and no stamp lies', async () => {
  const fleet = await createForgiving();
  await fleet.add('3_once.js', ONCE);
  const knexes = FIVE.toReversed().map(async (id) => {
    await plainKnex(fleet.testDatabase, fleet.project, id)
      .migrate.latest()
      .catch((error: Error) => {
        // Whoever comes second finds the other's lock, or what the other has done.
        if (!/lock|already exists|duplicate/i.test(`${error.name} ${error.message}`)) throw error;
      });
  });
  await fleet.migrate();
  await Promise.all(knexes);
  await expectTruth(fleet, ...FIVE);
  await fleet.query(FIVE.map((id) => `UPDATE ${historyOf(id)}_lock SET is_locked = 0`).join(';\n'));
  await fleet.migrate();
  for (const id of FIVE)
    expect((await fleet.history(id)).map((row) => row.split('@')[0])).toEqual([
      '1_notes.js',
      '2_tags.js',
      '3_once.js',
    ]);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5, failed: 0 });
  expect(await stamped(fleet)).toEqual(FIVE);
  await expectTruth(fleet, ...FIVE);
});

describe.each(['repeatable read', 'serializable'])(
  'a database whose transactions are %s by default',
  (isolation) => {
    async function strictFleet(): Promise<TestFleet> {
      const testDatabase = await createDatabase();
      await testDatabase.query(
        `ALTER DATABASE ${testDatabase.settings.database} SET default_transaction_isolation = '${isolation}';
       ALTER DATABASE ${testDatabase.settings.database} SET default_transaction_deferrable = on`,
      );
      const project = await createProject(FORGIVING);
      const database = await testDatabase.open(6);
      await migrateMaster(database, { folder: project.master });
      const fleet = fleetOn(testDatabase, database, project);
      for (const { error } of await fleet.provision(...FIVE)) if (error !== undefined) throw error;
      return fleet;
    }

    test('everything works, and no stamp lies', async () => {
      const fleet = await strictFleet();
      expect(await stamped(fleet)).toEqual(FIVE);
      await fleet.add('3_links.js', ifMissing('links'));
      expect((await fleet.migrate()).totals).toMatchObject({ changed: 5, failed: 0 });
      expect(await stamped(fleet)).toEqual(FIVE);
      const { migrate } = plainKnex(fleet.testDatabase, fleet.project, 'org_c');
      await migrate.rollback();
      expect((await fleet.status()).states).toMatchObject([
        { tenant: { clerkOrgId: 'org_c' }, pending: ['3_links.js'] },
      ]);
      await expectTruth(fleet, ...FIVE);
      await migrate.latest();
      expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5, failed: 0 });
      expect((await fleet.rollback()).totals).toMatchObject({ changed: 5, failed: 0 });
      expect((await fleet.migrate({ compile: false })).totals).toMatchObject({ changed: 5, failed: 0 });
      await fleet.status({ verify: true });
      expect(await stamped(fleet)).toEqual(FIVE);
      await expectTruth(fleet, ...FIVE);
    });

    test('two runs at once share the fleet, and no stamp lies', async () => {
      const fleet = await strictFleet();
      await fleet.add('3_once.js', ONCE);
      const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
      const [one, two] = await Promise.all([fleet.migrate(), other.migrate()]);
      expect(one.totals.failed + two.totals.failed).toBe(0);
      expect(one.totals.changed + two.totals.changed).toBe(5);
      expect(await stamped(fleet)).toEqual(FIVE);
      await expectTruth(fleet, ...FIVE);
    });
  },
);

const NEVER = `throw new Error('not taken back');`;

test.each([
  [
    'moves an older row into another batch',
    `UPDATE knex_migrations_tenant SET batch = 7 WHERE name = '2_tags.js'`,
  ],
  ['deletes an older row', `DELETE FROM knex_migrations_tenant WHERE name = '1_notes.js'`],
  ['adds a row', `INSERT INTO knex_migrations_tenant (name, batch) VALUES ('2_tags.ts', 3)`],
  ['empties the history', 'TRUNCATE knex_migrations_tenant'],
  ["sets Knex's lock", 'UPDATE knex_migrations_tenant_lock SET is_locked = 1'],
  ['deletes the stamp', `DELETE FROM tenantctl.stamps WHERE schema_name = current_schema()`],
  [
    'edits the stamp',
    `UPDATE tenantctl.stamps SET digest = md5('x')::uuid WHERE schema_name = current_schema()`,
  ],
  ['edits every stamp', `UPDATE tenantctl.stamps SET digest = md5('x')::uuid`],
  ['forgets what stamps refer to', 'DELETE FROM tenantctl.histories'],
  ['drops the trigger', 'DROP TRIGGER tenantctl_unstamp ON knex_migrations_tenant'],
])('a migration that %s: status tells what its history holds', async (_, statement) => {
  for (const compile of [true, false]) {
    const fleet = await createForgiving();
    await fleet.add('3_meddle.js', commonJs(`await knex.raw(${JSON.stringify(statement)});`, NEVER));
    const run = await fleet.migrate({ compile });
    expect(run.totals).toMatchObject({ changed: 5, failed: 0 });
    await expectTruth(fleet, ...FIVE);
    await fleet.add('4_links.js', ifMissing('links'));
    await fleet.migrate({ compile, allowOutOfOrder: true });
    await expectTruth(fleet, ...FIVE);
  }
});

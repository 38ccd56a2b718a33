import { expect, test } from 'vitest';
import { createDatabase } from '../../support/database.ts';
import { fleetOn, type TestFleet } from '../../support/fleet.ts';
import {
  commonJs,
  KNEX_TABLE,
  originProject,
  plainKnex,
  provisionByKnex,
} from '../../support/knex-project.ts';
import { expectTruth, hideHistories, promptly, stamped } from '../../support/stamps.ts';

const TENANTS = ['org_a', 'org_b', 'org_c'];

/** A database that nobody but Knex has migrated. */
async function knexsFleet(): Promise<TestFleet> {
  const project = await originProject();
  const testDatabase = await createDatabase();
  await plainKnex(testDatabase, project).migrate.latest();
  for (const id of TENANTS) await provisionByKnex(testDatabase, project, id);
  return fleetOn(testDatabase, await testDatabase.open(6), project);
}

test('tenants that Knex has made get their stamps from the first run, and are not read again', async () => {
  const fleet = await knexsFleet();
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, behind: 0 });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 3, changed: 0, failed: 0 });
  expect(await stamped(fleet)).toEqual(TENANTS);
  await expectTruth(fleet, ...TENANTS);
  const hidden = await hideHistories(fleet, TENANTS);
  expect((await promptly(fleet.status())).tenants).toMatchObject({ upToDate: 3, behind: 0 });
  expect((await promptly(fleet.migrate())).totals).toMatchObject({ upToDate: 3 });
  await hidden.show();
});

test.each([true, false])(
  'a first run that has something to do stamps what it migrates (compiled: %s)',
  async (compile) => {
    const fleet = await knexsFleet();
    await fleet.project.write(
      'src/tenants/migrations/20251103123600_links.js',
      commonJs(...KNEX_TABLE('links')),
    );
    expect((await fleet.migrate({ compile })).totals).toMatchObject({ changed: 3, failed: 0 });
    expect(await stamped(fleet)).toEqual(TENANTS);
    await expectTruth(fleet, ...TENANTS);
    await plainKnex(fleet.testDatabase, fleet.project, 'org_b').migrate.rollback();
    expect((await fleet.status()).states).toMatchObject([
      { tenant: { clerkOrgId: 'org_b' }, pending: ['20251103123600_links.js'] },
    ]);
  },
);

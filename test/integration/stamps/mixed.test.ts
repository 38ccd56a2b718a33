import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { plainKnex } from '../../support/knex-project.ts';
import { createProject } from '../../support/project.ts';
import { expectTruth, FORGIVING, historyOf, ifMissing, stamped } from '../../support/stamps.ts';

/*
 * Tenants of one plan whose histories differ in their batches, and of which some are stamped and some are not. The
 * first two show what all are sent; what the others' histories will be is not known from them.
 */

const FIRST = ['org_1', 'org_2'];
const OTHERS = ['org_a', 'org_b', 'org_c', 'org_d'];
const ALL = [...FIRST, ...OTHERS];

/** The first two got 2_tags in a batch of its own, the others in their first. */
async function mixedFleet(): Promise<TestFleet> {
  const project = await createProject(FORGIVING);
  const fleet = await createFleet(ALL, { project });
  await fleet.query(
    FIRST.map((id) => `UPDATE ${historyOf(id)} SET batch = 2 WHERE name = '2_tags.js'`).join(';\n'),
  );
  await fleet.migrate();
  expect(await stamped(fleet)).toEqual(ALL);
  return fleet;
}

test.each([
  [
    'one stamp is gone',
    (fleet: TestFleet) =>
      fleet.query('DELETE FROM tenantctl.stamps WHERE schema_name = $1', [schemaNameFor('org_d')]),
  ],
  [
    'Knex has rolled one tenant back and brought it up again',
    async (fleet: TestFleet) => {
      const { migrate } = plainKnex(fleet.testDatabase, fleet.project, 'org_d');
      await migrate.rollback();
      await migrate.latest();
    },
  ],
])('%s: a new migration comes to all', async (_, prepare) => {
  const fleet = await mixedFleet();
  await prepare(fleet);
  await fleet.add('3_links.js', ifMissing('links'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: ALL.length, failed: 0 });
  expect(await stamped(fleet)).toEqual(ALL);
  await expectTruth(fleet, ...ALL);
});

test('tenants whose last batches have different numbers are rolled back together', async () => {
  const fleet = await mixedFleet();
  await fleet.query(
    OTHERS.map(
      (id, nth) =>
        `UPDATE ${historyOf(id)} SET batch = CASE name WHEN '2_tags.js' THEN ${nth + 5} ELSE 4 END`,
    ).join(';\n'),
  );
  expect((await fleet.rollback()).totals).toMatchObject({ changed: ALL.length, failed: 0 });
  for (const id of OTHERS) expect(await fleet.history(id)).toEqual(['1_notes.js@4']);
  expect(await stamped(fleet)).toEqual(ALL);
  await expectTruth(fleet, ...ALL);
});

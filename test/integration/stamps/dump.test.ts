import { join } from 'node:path';
import { expect, inject, test, type TestContext } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { findDumpPrograms, type DumpPrograms } from '../../support/dump-programs.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { plainKnex } from '../../support/knex-project.ts';
import { createProject } from '../../support/project.ts';
import {
  expectTruth,
  FORGIVING,
  hideHistories,
  historyOf,
  ifMissing,
  promptly,
  stamped,
} from '../../support/stamps.ts';

const TENANTS = ['org_a', 'org_b', 'org_c'];

/** Skips the test where there is nothing to dump with. */
async function dumpPrograms({ skip }: TestContext): Promise<DumpPrograms> {
  const programs = await findDumpPrograms(inject('serverVersion'));
  if (typeof programs !== 'string') return programs;
  return skip(programs);
}

async function stampedFleet(): Promise<TestFleet> {
  const fleet = await createFleet(TENANTS, { project: await createProject(FORGIVING) });
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes VALUES (7)`);
  expect(await stamped(fleet)).toEqual(TENANTS);
  return fleet;
}

const dumpFile = ({ project }: TestFleet) => join(project.folder, 'tenant.dump');

async function tablesIn(testDatabase: TestServerDatabase, schema: string): Promise<string[]> {
  const rows = await testDatabase.query<{ name: string }>(
    'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1',
    [schema],
  );
  return rows.map(({ name }) => name);
}

test("one tenant's dump is restored into an empty database, and plain Knex goes on there", async (context) => {
  const { dump, restore } = await dumpPrograms(context);
  const fleet = await stampedFleet();
  const schema = schemaNameFor('org_a');
  await dump(fleet.testDatabase, dumpFile(fleet), '-n', schema);
  const empty = await createDatabase();
  await restore(empty, dumpFile(fleet));

  await fleet.add('3_links.js', ifMissing('links'));
  const { migrate } = plainKnex(empty, fleet.project, 'org_a');
  expect(await migrate.latest()).toEqual([2, ['3_links.js']]);
  expect(await tablesIn(empty, schema)).toEqual([
    'knex_migrations_tenant',
    'knex_migrations_tenant_lock',
    'links',
    'notes',
    'tags',
  ]);
  expect(await empty.query(`TABLE ${schema}.notes`)).toEqual([{ id: 7 }]);
  expect(await migrate.rollback()).toEqual([2, ['3_links.js']]);
  expect(await migrate.rollback(undefined, true)).toEqual([1, ['2_tags.js', '1_notes.js']]);
  expect(await empty.query(`TABLE ${historyOf('org_a')}`)).toEqual([]);
});

test('a tenant that is brought into the database of another fleet is read there, and stamped', async (context) => {
  const { dump, restore } = await dumpPrograms(context);
  const fleet = await stampedFleet();
  await dump(fleet.testDatabase, dumpFile(fleet), '-n', schemaNameFor('org_a'));
  await fleet.add('3_links.js', ifMissing('links'));
  const other = await createFleet(['org_x', 'org_y'], { project: fleet.project });
  await restore(other.testDatabase, dumpFile(fleet));
  await other.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_a', $1, 'ACTIVE')`,
    [schemaNameFor('org_a')],
  );

  expect((await other.status()).states).toMatchObject([
    { tenant: { clerkOrgId: 'org_a' }, pending: ['3_links.js'] },
  ]);
  expect(resultOf(await other.migrate(), 'org_a')).toMatchObject({ outcome: 'migrated' });
  expect(await stamped(other)).toEqual(['org_a', 'org_x', 'org_y']);
  await expectTruth(other, 'org_a', 'org_x', 'org_y');
});

test.for<readonly [string, string, readonly string[]]>([
  ['in the place of its schema, dropped', 'DROP SCHEMA $S CASCADE', []],
  ['over its tables, cleaned away', 'DROP TABLE $S.links', ['--clean', '--if-exists']],
  ['as the data of its history, emptied', 'TRUNCATE $H', ['--data-only', '-t', 'knex_migrations_tenant']],
  [
    'as the data of its history, its rows deleted, past the triggers',
    'DELETE FROM $H',
    ['--data-only', '--disable-triggers', '-t', 'knex_migrations_tenant'],
  ],
])(
  "a tenant's older dump, restored %s: what came later is pending at once, and is applied",
  async ([, statement, options], context) => {
    const { dump, restore } = await dumpPrograms(context);
    const fleet = await stampedFleet();
    const fill = (text: string) =>
      text.replaceAll('$S', schemaNameFor('org_a')).replaceAll('$H', historyOf('org_a'));
    await dump(fleet.testDatabase, dumpFile(fleet), '-n', schemaNameFor('org_a'));
    await fleet.add('3_links.js', ifMissing('links'));
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 3 });

    await fleet.query(fill(statement));
    await restore(fleet.testDatabase, dumpFile(fleet), ...options.map(fill));

    const hidden = await hideHistories(fleet, ['org_b', 'org_c']);
    expect((await promptly(fleet.status())).states).toMatchObject([
      { tenant: { clerkOrgId: 'org_a' }, pending: ['3_links.js'], attention: { code: 'BEHIND' } },
    ]);
    const run = await promptly(fleet.migrate());
    await hidden.show();
    expect(run.totals).toMatchObject({ selected: 3, upToDate: 2, changed: 1 });
    expect(resultOf(run, 'org_a').names).toEqual(['3_links.js']);
    await expectTruth(fleet, ...TENANTS);
    expect(await stamped(fleet)).toEqual(TENANTS);
  },
);

test('a whole database that is restored elsewhere is read once, and stamped there', async (context) => {
  const { dump, restore } = await dumpPrograms(context);
  const fleet = await stampedFleet();
  await dump(fleet.testDatabase, dumpFile(fleet));
  const copy = await createDatabase();
  await restore(copy, dumpFile(fleet));
  await copy.query(
    `ALTER TABLE ${historyOf('org_a')} DISABLE TRIGGER ALL;
     DELETE FROM ${historyOf('org_a')} WHERE name = '2_tags.js';
     ALTER TABLE ${historyOf('org_a')} ENABLE TRIGGER ALL`,
  );
  const restored = fleetOn(copy, await copy.open(), fleet.project);

  expect(await stamped(restored)).toEqual([]);
  expect((await restored.status()).states).toMatchObject([
    { tenant: { clerkOrgId: 'org_a' }, pending: ['2_tags.js'] },
  ]);
  expect((await restored.migrate()).totals).toMatchObject({ upToDate: 2, changed: 1 });
  expect(await stamped(restored)).toEqual(TENANTS);
  await expectTruth(restored, ...TENANTS);
});

import { expect, test } from 'vitest';
import type { FleetDocument, StatusDocument } from '../../src/index.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

const CLASSES = ['upToDate', 'behind', 'failed', 'notActive', 'broken'] as const;

/** Each organization, named for what is wrong with it, and its class. */
const ODDITIES = {
  fine: 'upToDate',
  late: 'failed',
  refused: 'failed',
  failed: 'failed',
  unprovisioned: 'failed',
  behind: 'behind',
  provisioning: 'notActive',
  suspended: 'notActive',
  archived_after_failure: 'notActive',
  without_schema: 'broken',
  without_file: 'broken',
  newer: 'broken',
  interrupted: 'broken',
  ambiguous: 'broken',
  empty_name: 'broken',
  null_name: 'broken',
  of_system: 'broken',
  doubled: 'broken',
} as const;

const LINKS = '20250101000003_links.sql';

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** The sum of the classes, which has to be the total. */
const sumOfClasses = (counts: Readonly<Record<(typeof CLASSES)[number], number>>) =>
  CLASSES.reduce((total, name) => total + counts[name], 0);

/** The numbers in front of words: "3 up to date, 1 behind". */
const numbersIn = (text: string) => [...text.matchAll(/(\d+) [a-z]/g)].map(([, number]) => Number(number));

async function createOddities(): Promise<TestFleet> {
  const fleet = await createFleet(Object.keys(ODDITIES));
  const { query } = fleet;
  const schema = (organization: keyof typeof ODDITIES) => schemaNameFor(organization);
  const set = (organization: keyof typeof ODDITIES, values: string) =>
    query(`UPDATE tenants SET ${values} WHERE clerk_org_id = '${organization}'`);
  const applied = (organization: keyof typeof ODDITIES, name: string) =>
    query(
      `INSERT INTO ${schema(organization)}.knex_migrations_tenant (name, batch, migration_time) VALUES ('${name}', 2, now())`,
    );
  await fleet.add(LINKS, createTable('links'));
  for (const organization of ['failed', 'archived_after_failure'] as const)
    await query(`CREATE TABLE ${schema(organization)}.links ()`);
  const check = { name: 'check.sql', query: `SELECT current_schema() <> '${schema('refused')}'` };
  const done = Object.keys(ODDITIES).filter((name) => name !== 'behind');
  const { totals } = await fleet.migrate({ tenants: done, rollout: { check } });
  expect(totals).toMatchObject({ selected: 17, changed: 14, failed: 3 });

  await query(`DELETE FROM ${schema('late')}.knex_migrations_tenant WHERE name LIKE '%tags%'`);
  await applied('without_file', '20250101000002_gone.sql');
  await applied('newer', '29990101000000_newer.sql');
  await query(
    `INSERT INTO tenantctl.intents (tenant, migration, direction)
     SELECT id, '${LINKS}', 'down' FROM tenantctl.tenants WHERE clerk_org_id = 'interrupted'`,
  );
  await query(`DROP SCHEMA ${schema('without_schema')} CASCADE`);
  await query(`ALTER SCHEMA ${schema('ambiguous')} RENAME TO other`);
  await set('ambiguous', `clerk_org_id = 'other', schema_name = 'other'`);
  await query('ALTER TABLE tenants ALTER schema_name DROP NOT NULL');
  await set('empty_name', `schema_name = ''`);
  await set('null_name', 'schema_name = NULL');
  await set('of_system', `schema_name = 'information_schema'`);
  await set('unprovisioned', `status = 'FAILED'`);
  await set('provisioning', `status = 'PROVISIONING'`);
  await set('suspended', `status = 'SUSPENDED'`);
  await set('archived_after_failure', `status = 'ARCHIVED'`);
  // Two rows of one schema.
  await query('ALTER TABLE tenants DROP CONSTRAINT tenants_schema_name_key');
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('twin', '${schema('doubled')}', 'ACTIVE')`,
  );
  return fleet;
}

const EXPECTED = new Map<string, string>(
  Object.entries({ ...ODDITIES, twin: 'broken' }).map(([name, of]) => [
    name === 'ambiguous' ? 'other' : name,
    of,
  ]),
);

test('every tenant is in one class, which is the same on every screen and in every document', async () => {
  const fleet = await createOddities();
  const run = (line: string) =>
    tenantctl(line.split(' '), { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  const json = async <T>(line: string) => (await run(`${line} --json`)).json<T>();
  const total = EXPECTED.size;

  const status = await json<StatusDocument>('status --all');
  expect(new Map(status.all?.map((tenant) => [tenant.clerkOrgId, tenant.class]))).toEqual(EXPECTED);
  const { byStatus, ...classes } = status.tenants;
  const counted = Map.groupBy(EXPECTED.values(), (of) => of);
  expect(classes).toEqual({
    total,
    ...Object.fromEntries([...counted].map(([of, all]) => [of, all.length])),
  });
  expect([sumOfClasses(classes), sum(byStatus)]).toEqual([total, total]);
  // Without --all the server counts the healthy ones in groups.
  expect((await json<StatusDocument>('status')).tenants).toEqual(status.tenants);
  const [line = ''] = /^Tenants .*/m.exec((await run('status')).stdout) ?? [];
  const shownFirst = ['upToDate', 'behind', 'failed', 'broken', 'notActive'] as const;
  expect(numbersIn(line)).toEqual(shownFirst.map((name) => classes[name]));
  const needy = new Set(status.attention.map(({ clerkOrgId }) => clerkOrgId));
  const found = (await run('doctor')).stdout;
  const isFound = ({ clerkOrgId, schema }: { clerkOrgId: string; schema: string }) =>
    found.includes(clerkOrgId) || found.includes(schema);
  expect(status.attention.filter((tenant) => !isFound(tenant))).toEqual([]);

  // A run does to each tenant what its class says.
  const migrated = await json<FleetDocument & { run: number }>('migrate tenants --all');
  const { selected, ...outcomes } = migrated.totals;
  expect(sum(outcomes)).toBe(selected);
  expect(selected + sum(migrated.notActive)).toBe(total);
  expect(migrated.tenants).toHaveLength(selected);
  for (const { clerkOrgId, outcome } of migrated.tenants) {
    const of = EXPECTED.get(clerkOrgId);
    expect([clerkOrgId, outcome]).toEqual([
      clerkOrgId,
      of === 'upToDate' ? 'up-to-date' : of === 'behind' ? 'migrated' : 'failed',
    ]);
    expect(needy.has(clerkOrgId)).toBe(of !== 'upToDate');
  }
  const after = { ...classes, upToDate: classes.upToDate + 1, behind: 0 };
  expect(migrated.fleet).toEqual(after);
  expect((await json<StatusDocument>('status')).tenants).toEqual({ ...after, byStatus });

  const again = await run('migrate tenants');
  const [, all = '', parts = ''] = /(\d+) tenants: (.*) \(/.exec(again.stdout) ?? [];
  expect(numbersIn(parts).reduce((one, other) => one + other, 0)).toBe(Number(all));
  expect(Number(all)).toBe(selected);

  // The ledger says the same.
  const shown = await json<{ run: { totals: object; tenants: { outcome: string }[] } }>(
    `runs show ${migrated.run} --all`,
  );
  const { migrated: changed, ...others } = migrated.totals;
  expect(shown.run.totals).toEqual({ changed, ...others });
  // It keeps one row for a schema, which two rows of the registry name.
  expect(shown.run.tenants.filter(({ outcome }) => outcome === 'failed')).toHaveLength(others.failed - 1);
  expect(shown.run.tenants.filter(({ outcome }) => outcome === 'migrated')).toHaveLength(changed ?? 0);

  const asked = await json<{ totals: Record<string, number> }>('exec --sql VALUES(1)');
  expect(asked.totals.selected).toBe(selected);
  const { answered = 0, failed = 0, skipped = 0 } = asked.totals;
  expect(answered + failed + skipped).toBe(selected);

  const provisioned = await json<{ tenants: object[] }>('tenant provision fine suspended unprovisioned new');
  expect(provisioned.tenants).toHaveLength(4);
  const { runs } = await json<{ runs: { totals: Record<string, number> }[] }>('runs');
  const { selected: wanted, ...made } = runs[0]?.totals ?? {};
  expect([wanted, sum(made)]).toEqual([4, 4]);

  const undone = await json<FleetDocument>('rollback tenants --yes --all');
  const { selected: reached, ...reverted } = undone.totals;
  expect(sum(reverted)).toBe(reached);
  expect(reached + sum(undone.notActive)).toBe(total + 1);
  expect(sumOfClasses(undone.fleet ?? after)).toBe(total + 1);
});

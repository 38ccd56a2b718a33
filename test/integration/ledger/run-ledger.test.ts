import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rollbackRun } from '../../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** "organization outcome direction batch names" of each row of a run, by organization. */
async function deedsOf(fleet: TestFleet, run: number | undefined): Promise<string[]> {
  const rows = await fleet.query<{ line: string }>(
    `SELECT concat_ws(' ', clerk_org_id, outcome, direction, batch, array_to_string(names, ',')) AS line
     FROM tenantctl.run_tenants WHERE run = $1 ORDER BY clerk_org_id COLLATE "C", ended_at`,
    [run],
  );
  return rows.map(({ line }) => line);
}

async function runRow(fleet: TestFleet, run: number | undefined): Promise<Record<string, unknown>> {
  const [row] = await fleet.query('SELECT * FROM tenantctl.runs WHERE id = $1', [run]);
  if (row === undefined) throw new Error(`There is no run ${run}.`);
  return row;
}

test('a run over the fleet is in the ledger: who, from where, what was planned, how it ended, and each tenant', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.add('4_marks.sql', createTable('marks'));
  const { run } = await fleet.migrate({ concurrency: 2, to: '4_marks' });

  const [{ me }] = (await fleet.query('SELECT session_user::text AS me')) as [{ me: string }];
  expect(await runRow(fleet, run)).toMatchObject({
    command: 'migrate tenants',
    started_by: me,
    pid: process.pid,
    planned: ['3_links.sql', '4_marks.sql'],
    options: { to: '4_marks', concurrency: 2 },
    outcome: 'done',
    totals: { selected: 5, changed: 5, upToDate: 0, failed: 0, skipped: 0 },
    is_idle: false,
    error: null,
  });
  expect(await deedsOf(fleet, run)).toEqual(
    FIVE.map((org) => `${org} migrated up 2 3_links.sql,4_marks.sql`),
  );
});

test('provisioning and the way back are in the ledger, and so is the master schema', async () => {
  const fleet = await createFleet([]);
  const master = await fleet.query('SELECT command, planned, outcome FROM tenantctl.runs WHERE NOT is_idle');
  expect(master).toEqual([
    { command: 'migrate master', planned: ['20250101000000_init_db.sql'], outcome: 'done' },
  ]);

  const provisioned = await fleet.provision('org_a', 'org_b');
  const run = provisioned[0]?.run;
  expect(await deedsOf(fleet, run)).toEqual(
    ['org_a', 'org_b'].map((org) => `${org} migrated up 1 20250101000001_notes.sql,20250101000002_tags.sql`),
  );
  const back = await fleet.rollback({ tenants: ['org_b'] });
  expect(await deedsOf(fleet, back.run)).toEqual([
    'org_b rolled-back down 1 20250101000002_tags.sql,20250101000001_notes.sql',
  ]);
});

test('a run with nothing to do is one row that says so', async () => {
  const fleet = await createFleet(['org_a']);
  const runs = [(await fleet.migrate()).run, (await fleet.provision('org_a'))[0]?.run];
  for (const run of runs) {
    expect(await runRow(fleet, run)).toMatchObject({ is_idle: true, outcome: 'done', planned: [] });
    expect(await deedsOf(fleet, run)).toEqual([]);
  }
});

test('what was applied stands beside how a tenant failed', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.query(`ALTER TABLE ${schemaNameFor('org_c')}.notes ADD body text`);
  await fleet.add('3_body.sql', '-- migrate:up\nALTER TABLE notes ADD body text;');
  const result = await fleet.migrate();
  expect(await deedsOf(fleet, result.run)).toEqual([
    'org_a migrated up 2 3_body.sql',
    'org_b migrated up 2 3_body.sql',
    'org_c failed up 0 ',
    'org_d migrated up 2 3_body.sql',
    'org_e migrated up 2 3_body.sql',
  ]);
  expect(await runRow(fleet, result.run)).toMatchObject({ outcome: 'failed', totals: { failed: 1 } });
  expect(
    await fleet.query('SELECT error FROM tenantctl.run_tenants WHERE run = $1 AND error IS NOT NULL', [
      result.run,
    ]),
  ).toEqual([{ error: expect.objectContaining({ code: 'MIGRATION_FAILED', sqlstate: '42701' }) as unknown }]);
});

test('migrations outside a transaction are recorded with their own end', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.add(
    '4_index.js',
    knexMigration(
      `await knex.raw('CREATE INDEX CONCURRENTLY links_id ON links (id)');`,
      `await knex.raw('DROP INDEX CONCURRENTLY links_id');`,
      'export const config = { transaction: false };',
    ),
  );
  const { run } = await fleet.migrate();
  expect(await deedsOf(fleet, run)).toEqual([
    'org_a migrated up 2 3_links.sql',
    'org_a migrated up 2 4_index.js',
  ]);
});

test('master migrations are runs of their own', async () => {
  const fleet = await createFleet([]);
  await fleet.project.write('migrations/master/2_areas.sql', createTable('areas'));
  const { run } = await migrateMaster(fleet.database, { folder: fleet.project.master });
  expect(await runRow(fleet, run)).toMatchObject({ planned: ['2_areas.sql'], totals: { migrations: 1 } });
  expect(
    await fleet.query('SELECT schema_name, names FROM tenantctl.run_tenants WHERE run = $1', [run]),
  ).toEqual([{ schema_name: 'public', names: ['2_areas.sql'] }]);
});

test('rolling a run back undoes what it applied, and nothing that others did', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.add('3_links.sql', createTable('links'));
  const before = await fleet.migrate({ tenants: ['org_a', 'org_b'] });
  const second = await fleet.migrate();
  const undone = await rollbackRun(fleet.database, second.run ?? 0, { folder: fleet.project.tenants });

  expect(undone.totals).toMatchObject({ selected: 3, changed: 3, upToDate: 0, failed: 0 });
  expect(await fleet.tables('org_a')).toContain('links');
  expect(await fleet.tables('org_b')).toContain('links');
  for (const org of FIVE.slice(2)) expect(await fleet.tables(org)).not.toContain('links');

  const again = await rollbackRun(fleet.database, second.run ?? 0, { folder: fleet.project.tenants });
  expect(again.totals).toMatchObject({ selected: 3, changed: 0, upToDate: 3, failed: 0 });
  await rollbackRun(fleet.database, before.run ?? 0, { folder: fleet.project.tenants });
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('who has what was undone from another run is named, with the command that undoes it there', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  const { run = 0 } = await fleet.migrate();
  await fleet.provision('org_new');
  const warnings: string[] = [];
  const observe = (event: RunEvent) => event.type === 'warning' && warnings.push(event.message);
  const options = { folder: fleet.project.tenants, observe };
  await rollbackRun(fleet.database, run, { ...options, tenants: ['org_a'] });
  expect(warnings).toEqual([]);
  await rollbackRun(fleet.database, run, options);
  expect(warnings).toEqual([
    '1 other tenant keeps 3_links.sql, applied by another run: org_new. To undo it there too: tenantctl rollback tenants --tenant org_new --to 3_links.sql',
  ]);
  await fleet.rollback({ tenants: ['org_new'], extent: { to: '3_links.sql' } });
  expect(await fleet.tables('org_new')).toEqual(['notes', 'tags']);
});

test('where something newer was applied since, nothing is undone, and the hint names the run to undo first', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  const first = await fleet.migrate();
  await fleet.add('4_marks.sql', createTable('marks'));
  const second = await fleet.migrate({ tenants: ['org_b'] });

  const undone = await rollbackRun(fleet.database, first.run ?? 0, { folder: fleet.project.tenants });
  expect(undone.totals).toMatchObject({ changed: 1, failed: 1 });
  const { error } = resultOf(undone, 'org_b');
  expect(error).toMatchObject({ code: 'RUN_SUPERSEDED', migration: '4_marks.sql' });
  expect(error?.hint).toContain(`tenantctl rollback tenants --run ${second.run}`);
  expect(await fleet.history('org_b')).toHaveLength(4);
});

/** What happens to a tenant after a run, in SQL; a new name is the old one with an X. */
const change = (id: string) => ({
  schema: `ALTER SCHEMA ${schemaNameFor(id)} RENAME TO ${schemaNameFor(id)}x;`,
  row: `UPDATE tenants SET schema_name = '${schemaNameFor(id)}x' WHERE clerk_org_id = '${id}';`,
  organization: `UPDATE tenants SET clerk_org_id = '${id}x' WHERE clerk_org_id = '${id}';`,
  delete: `DELETE FROM tenants WHERE clerk_org_id = '${id}';`,
  suspend: `UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = '${id}';`,
  drop: `DROP SCHEMA ${schemaNameFor(id)} CASCADE;`,
});

const CHANGED: readonly [id: string, changes: (keyof ReturnType<typeof change>)[], end: string][] = [
  ['renamed', ['schema', 'row'], 'renamed rolled-back'],
  ['renamed_org', ['organization'], 'renamed_orgx rolled-back'],
  ['half', ['schema'], 'half SCHEMA_MISSING'],
  ['other_half', ['row'], 'other_half SCHEMA_MISSING'],
  ['both', ['schema', 'row', 'organization'], 'bothx TENANT_AMBIGUOUS'],
  ['deleted', ['delete'], 'deleted TENANT_UNKNOWN'],
  ['deleted_renamed', ['delete', 'schema'], 'deleted_renamed TENANT_UNKNOWN'],
  ['suspended', ['suspend'], 'suspended TENANT_NOT_ACTIVE'],
  ['gone', ['delete', 'drop'], ''],
  ['suspended_dropped', ['suspend', 'drop'], ''],
];

test.each([['a command'], ['no command']])(
  'rolling a run back forgets no tenant that was renamed, deleted or suspended since, with %s in between',
  async (between) => {
    const fleet = await createFleet(CHANGED.map(([id]) => id));
    await fleet.add('3_links.sql', createTable('links'));
    const { run = 0 } = await fleet.migrate();
    await fleet.query(CHANGED.flatMap(([id, changes]) => changes.map((each) => change(id)[each])).join(''));
    if (between === 'a command') await fleet.migrate();
    const told: string[] = [];
    const { totals, tenants } = await rollbackRun(fleet.database, run, {
      folder: fleet.project.tenants,
      observe: (event) => event.type === 'warning' && told.push(event.message),
    });

    const ends = tenants.map(({ clerkOrgId, outcome, error }) => `${clerkOrgId} ${error?.code ?? outcome}`);
    expect(ends.toSorted()).toEqual(
      CHANGED.map(([, , end]) => end)
        .filter((end) => end !== '')
        .toSorted(),
    );
    expect(totals).toMatchObject({ changed: 2, failed: 5, skipped: 1, upToDate: 1 });
    // Wherever it is still applied, that was said.
    expect(await fleet.query(`SELECT FROM pg_tables WHERE tablename = 'links'`)).toHaveLength(6);
    expect(told.filter((text) => text.includes('left the registry'))).toEqual([
      `1 tenant of run ${run} left the registry, and nothing of the run is left to undo there: gone.`,
    ]);
  },
);

test('what a later run applied again is not the first one’s any more', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  const first = await fleet.migrate();
  await fleet.rollback({ tenants: ['org_a'] });
  await fleet.migrate();
  const undone = await rollbackRun(fleet.database, first.run ?? 0, { folder: fleet.project.tenants });
  expect(undone.totals).toMatchObject({ selected: 2, changed: 1, upToDate: 1 });
  expect(await fleet.tables('org_a')).toContain('links');
  expect(await fleet.tables('org_b')).not.toContain('links');
});

test('a run that nobody knows, or that cannot be undone so, is refused with a reason', async () => {
  const fleet = await createFleet(['org_a']);
  const { folder } = { folder: fleet.project.tenants };
  expect(await refusalOf(rollbackRun(fleet.database, 4711, { folder }))).toMatchObject({
    code: 'RUN_UNKNOWN',
  });
  const [{ id }] = (await fleet.query(
    `SELECT id::int AS id FROM tenantctl.runs WHERE command = 'tenant provision'`,
  )) as [{ id: number }];
  expect(await refusalOf(rollbackRun(fleet.database, id, { folder }))).toMatchObject({
    code: 'RUN_IRREVERSIBLE',
  });
});

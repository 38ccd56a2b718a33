import { expect, test } from 'vitest';
import { rehearseTenantsRollback } from '../../../src/core/commands/rehearse.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable, knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';
import { intentOf, REMEMBERED_FAILURES } from '../../support/remember.ts';

/** org_a has its migrations in three batches, org_b in two. */
async function unevenFleet(): Promise<TestFleet> {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_a'] });
  await fleet.add('4_more.sql', createTable('more'));
  await fleet.migrate();
  return fleet;
}

test('exactly the last batch of each history is undone, newest first', async () => {
  const fleet = await unevenFleet();
  const result = await fleet.rollback();
  expect(result.totals).toEqual({ selected: 2, upToDate: 0, changed: 2, failed: 0, skipped: 0 });
  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'rolled-back',
    names: ['4_more.sql'],
    batch: 3,
  });
  expect(resultOf(result, 'org_b')).toMatchObject({ names: ['4_more.sql', '3_links.sql'], batch: 2 });
  expect(await fleet.tables('org_a')).toEqual(['links', 'notes', 'tags']);
  expect(await fleet.tables('org_b')).toEqual(['notes', 'tags']);
  expect(await fleet.history('org_b')).toHaveLength(2);
});

/** "organization: reverted names" or "organization: reason" of each tenant, without the command in the reason. */
function told({ tenants }: Awaited<ReturnType<TestFleet['rollback']>>): string[] {
  return tenants
    .map(
      ({ clerkOrgId, names, reason = '' }) =>
        `${clerkOrgId}: ${[...names, reason.replace(/;.*/, '')].join('')}`,
    )
    .toSorted();
}

const OLDER = (run: number | undefined) => `the last batch is older than the latest deploy, run ${run}`;
const PROVISIONED = 'the last batch was written by provisioning';

test('without a selection, only the latest deploy is undone, in every run that took part in it; the others are named', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_behind', 'org_late']);
  await fleet.add('3_links.sql', createTable('links'));
  const first = await fleet.migrate({ tenants: ['org_a', 'org_b', 'org_behind'] });
  await fleet.add('4_more.sql', createTable('more'));
  await fleet.migrate({ tenants: ['org_a'] });
  const last = await fleet.migrate({ tenants: ['org_b', 'org_late'] });
  await fleet.provision('org_new');
  const dryRun = await rehearseTenantsRollback(fleet.database, { folder: fleet.project.tenants });

  expect(told(await fleet.rollback())).toEqual([
    'org_a: 4_more.sql',
    'org_b: 4_more.sql',
    `org_behind: ${OLDER(last.run)}`,
    'org_late: 4_more.sql3_links.sql',
    `org_new: ${PROVISIONED}`,
  ]);
  expect(dryRun.leftAlone?.map(({ clerkOrgId }) => clerkOrgId)).toEqual(['org_behind', 'org_new']);
  expect(dryRun.plans.flatMap(({ targets }) => targets)).toHaveLength(3);
  expect(await fleet.tables('org_new')).toEqual(['links', 'more', 'notes', 'tags']);

  // The next one goes on to the deploy before.
  expect(told(await fleet.rollback())).toEqual([
    'org_a: 3_links.sql',
    'org_b: 3_links.sql',
    'org_behind: 3_links.sql',
    `org_late: ${PROVISIONED}`,
    `org_new: ${PROVISIONED}`,
  ]);
  expect(first.run).toBeLessThan(last.run ?? 0);
  expect((await fleet.rollback()).totals).toMatchObject({ changed: 0, failed: 0, skipped: 5 });
  // Whoever is named is reached.
  expect(told(await fleet.rollback({ tenants: ['org_new'] }))).toEqual([
    'org_new: 4_more.sql3_links.sql20250101000002_tags.sql20250101000001_notes.sql',
  ]);
});

test('a deploy may be all that a tenant has, and a batch that was undone and written again counts anew', async () => {
  const fleet = await createFleet([]);
  const [notes, tags] = ['20250101000001_notes.sql', '20250101000002_tags.sql'];
  for (const name of [notes, tags]) await fleet.project.remove(`migrations/tenants/${name}`);
  await fleet.provision('org_a');
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.provision('org_b');
  await fleet.migrate();
  expect(told(await fleet.rollback())).toEqual(['org_a: 3_links.sql', `org_b: ${PROVISIONED}`]);
  await fleet.rollback({ tenants: ['org_b'] });
  await fleet.migrate();
  expect(told(await fleet.rollback())).toEqual(['org_a: 3_links.sql', 'org_b: 3_links.sql']);
});

test('what is not in the ledger is undone unless it is the only batch or older than the latest deploy', async () => {
  const fleet = await unevenFleet();
  await fleet.provision('org_c');
  await fleet.query('DELETE FROM tenantctl.run_tenants');
  expect(told(await fleet.rollback())).toEqual([
    'org_a: 4_more.sql',
    'org_b: 4_more.sql3_links.sql',
    'org_c: the ledger does not say who wrote the only batch',
  ]);
  await fleet.migrate({ tenants: ['org_b'], to: '3_links' });
  const { run } = await fleet.migrate({ tenants: ['org_b'] });
  expect(told(await fleet.rollback())).toEqual([
    `org_a: ${OLDER(run)}`,
    'org_b: 4_more.sql',
    'org_c: the ledger does not say who wrote the only batch',
  ]);
});

test('two organizations with one schema are named, and nothing is done to it, forward or back', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query('ALTER TABLE tenants DROP CONSTRAINT tenants_schema_name_key');
  const [shared, extent] = [schemaNameFor('org_a'), { all: true }] as const;
  await fleet.query(`INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('twin', $1, 'ACTIVE')`, [
    shared,
  ]);
  await fleet.add('3_links.sql', createTable('links'));
  for (const run of [await fleet.migrate(), await fleet.rollback({ extent })]) {
    expect(run.totals).toMatchObject({ changed: 1, failed: 2 });
    for (const id of ['org_a', 'twin']) expect(resultOf(run, id).error?.code).toBe('SCHEMA_NAME_TAKEN');
  }
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
});

test('a tenant in which the deploy was interrupted is not left alone: it fails', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_a'] });
  await fleet.query(intentOf(schemaNameFor('org_b'), '3_links.sql'));
  const result = await fleet.rollback();
  expect(resultOf(result, 'org_a')).toMatchObject({ outcome: 'rolled-back' });
  expect(resultOf(result, 'org_b')).toMatchObject({
    outcome: 'failed',
    error: { code: 'MIGRATION_INTERRUPTED' },
  });
});

test('who would lose everything by name is asked about, and what is migrated meanwhile is not undone', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_a', 'org_b'] });
  const asked: string[] = [];
  const confirm = (emptied: readonly { readonly clerkOrgId: string }[]) => {
    asked.push(emptied.map(({ clerkOrgId }) => clerkOrgId).join());
  };
  await fleet.rollback({ confirm });
  await fleet.rollback({ extent: { to: '20250101000002_tags' }, confirm });
  expect(asked).toEqual([]);
  for (const no of [() => false, () => Promise.resolve(false)]) {
    const refused = fleet.rollback({ tenants: ['org_c'], confirm: no });
    await expect(refused).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
  }
  await fleet.rollback({ tenants: ['org_c'], confirm });
  await fleet.rollback({ tenants: ['org_c'], confirm });
  expect(asked).toEqual(['org_c']);

  const { tenants } = await fleet.rollback({
    extent: { all: true },
    async confirm() {
      await fleet.migrate({ tenants: ['org_a'] });
      await fleet.provision('org_late');
    },
  });
  expect(tenants.map(({ clerkOrgId, outcome, error }) => [clerkOrgId, outcome, error?.code])).toEqual([
    ['org_a', 'failed', 'HISTORY_CHANGED'],
    ['org_b', 'rolled-back', undefined],
  ]);
  expect(await fleet.tables('org_a')).toContain('links');
  expect(await fleet.tables('org_late')).toEqual(['links', 'notes', 'tags']);
});

test('a run that finds its work done by another records nothing for the tenant', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const extent = { all: true } as const;
  const { run = 0, totals } = await fleet.rollback({
    extent,
    async confirm() {
      await fleet.rollback({ extent });
    },
  });
  expect(totals).toMatchObject({ upToDate: 2, changed: 0, failed: 0 });
  expect(await readRunTenants(fleet.database, run, { onlyFailed: false })).toEqual([]);
});

test('forward again after a rollback, the catalog is as it was', async () => {
  const fleet = await unevenFleet();
  const before = await catalogOf(fleet.testDatabase);
  await fleet.rollback({ extent: { all: true } });
  expect(await fleet.tables('org_a')).toEqual([]);
  await fleet.migrate();
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
});

test('--all empties every history; then there is nothing to undo, which is no failure', async () => {
  const fleet = await unevenFleet();
  const result = await fleet.rollback({ extent: { all: true } });
  expect(resultOf(result, 'org_a').names).toHaveLength(4);
  expect(await fleet.history('org_b')).toEqual([]);
  const again = await fleet.rollback();
  expect(again.totals).toEqual({ selected: 2, upToDate: 2, changed: 0, failed: 0, skipped: 0 });
});

test('a schema without any history has nothing to undo, and gets no history by that', async () => {
  const fleet = await createFleet([]);
  await fleet.query(`CREATE SCHEMA bare`);
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_bare', 'bare', 'ACTIVE')`,
  );
  const before = await catalogOf(fleet.testDatabase);
  expect((await fleet.rollback()).totals).toMatchObject({ upToDate: 1, failed: 0 });
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
});

test('--to undoes down to that migration, where it was applied', async () => {
  const fleet = await unevenFleet();
  const result = await fleet.rollback({ extent: { to: '3_links' } });
  expect(resultOf(result, 'org_a').names).toEqual(['4_more.sql', '3_links.sql']);
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect((await fleet.rollback({ extent: { to: '3_links' } })).totals).toMatchObject({ upToDate: 2 });
  expect(await refusalOf(fleet.rollback({ extent: { to: '9_nothing' } }))).toMatchObject({
    code: 'MIGRATION_UNKNOWN',
  });
});

test('only the selected tenants are rolled back', async () => {
  const fleet = await unevenFleet();
  const result = await fleet.rollback({ tenants: ['org_b'] });
  expect(result.totals).toMatchObject({ selected: 1, changed: 1 });
  expect(await fleet.tables('org_a')).toEqual(['links', 'more', 'notes', 'tags']);
});

test('a down that throws leaves that tenant where it was, is reported and kept, and the others go back', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.add(
    '4_picky.js',
    knexMigration('', `if ((await knex('links').first()) !== undefined) throw new Error('there are links');`),
  );
  await fleet.migrate();
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.links VALUES (1)`);
  const before = await fleet.history('org_a');
  const result = await fleet.rollback();
  expect(result.totals).toMatchObject({ changed: 1, failed: 1 });
  expect(resultOf(result, 'org_a').error).toMatchObject({
    code: 'MIGRATION_FAILED',
    message: 'there are links',
    migration: '4_picky.js',
  });
  expect(await fleet.history('org_a')).toEqual(before);
  expect(await fleet.tables('org_a')).toContain('links');
  expect(await fleet.tables('org_b')).not.toContain('links');
  const kept = await fleet.query(`SELECT command, schema_name FROM (${REMEMBERED_FAILURES}) f`);
  expect(kept).toEqual([{ command: 'rollback tenants', schema_name: schemaNameFor('org_a') }]);

  await fleet.query(`DELETE FROM ${schemaNameFor('org_a')}.links`);
  expect((await fleet.rollback({ tenants: ['org_a'] })).totals).toMatchObject({ changed: 1 });
  expect(await fleet.query('SELECT * FROM tenantctl.tenant_failures')).toEqual([]);
});

test('a migration without a down stops at once, also when a later one of the batch could be undone', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_forward.sql', '-- migrate:up\nCREATE TABLE forward ();');
  await fleet.add('4_links.sql', createTable('links'));
  await fleet.migrate();
  const { error } = resultOf(await fleet.rollback(), 'org_a');
  expect(error).toMatchObject({
    code: 'MIGRATION_IRREVERSIBLE',
    migration: '3_forward.sql',
    tenant: 'org_a',
  });
  expect(await fleet.tables('org_a')).toEqual(['forward', 'links', 'notes', 'tags']);
  expect(await fleet.history('org_a')).toHaveLength(4);
});

test('a file that is gone stops the tenants that need it, and no other', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_a'] });
  await fleet.project.remove('migrations/tenants/3_links.sql');
  const result = await fleet.rollback({ tenants: ['org_a', 'org_b'] });
  expect(resultOf(result, 'org_a').error).toMatchObject({
    code: 'MIGRATION_FILE_MISSING',
    migration: '3_links.sql',
  });
  expect(resultOf(result, 'org_b').outcome).toBe('rolled-back');
});

test('two rollbacks at once undo one batch, not two', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_slow.sql', `-- migrate:up\nSELECT 1;\n-- migrate:down\n${WAIT_AT_GATE}`);
  await fleet.migrate();
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(), fleet.project);
  const gate = await closeGate(fleet.testDatabase);
  const first = fleet.rollback();
  await gate.reached();
  const planned = Promise.withResolvers<void>();
  const second = other.rollback({ observe: (event) => event.type === 'selected' && planned.resolve() });
  await planned.promise;
  await gate.open();
  expect(resultOf(await first, 'org_a').names).toEqual(['3_slow.sql']);
  expect(resultOf(await second, 'org_a')).toMatchObject({ outcome: 'up-to-date', names: [] });
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a rollback whose connection is lost between two of its transactions undoes the rest when it is tried again', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query('CREATE SEQUENCE public.turns');
  await fleet.add(
    '3_lost.sql',
    `${createTable('lost')}SELECT CASE nextval('public.turns') WHEN 1 THEN pg_terminate_backend(pg_backend_pid()) END;\n`,
  );
  await fleet.add(
    '4_outside.sql',
    `-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 1;\n`,
  );
  await fleet.add('5_last.sql', createTable('last'));
  await fleet.migrate();
  const { totals } = await fleet.rollback();
  expect(totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect(await fleet.query('SELECT last_value::int AS turns FROM public.turns')).toEqual([{ turns: 2 }]);
});

test('a file that nobody has any more may be edited: that is no warning', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate();
  const warningsOfRun = async () => {
    const warnings: string[] = [];
    await fleet.migrate({ observe: (event) => event.type === 'warning' && warnings.push(event.message) });
    return warnings;
  };
  await fleet.rollback({ tenants: ['org_a'] });
  await fleet.add('3_links.sql', createTable('links', 'id bigint'));
  expect(await warningsOfRun()).toEqual([
    expect.stringContaining('Edited after it was applied: 3_links.sql'),
  ]);
  await fleet.rollback();
  await fleet.add('3_links.sql', createTable('links', 'id bigint, more int'));
  expect(await warningsOfRun()).toEqual([]);
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b'`);
  await fleet.rollback();
  await fleet.add('3_links.sql', createTable('links', 'id int'));
  expect(await warningsOfRun()).toEqual([
    expect.stringContaining('Edited after it was applied: 3_links.sql'),
  ]);
});

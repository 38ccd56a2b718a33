import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rehearseSeeds } from '../../../src/core/commands/rehearse-data-change.ts';
import { seedTenants, type SeedTenantsOptions } from '../../../src/core/commands/seed-tenants.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { readTenantCheck } from '../../../src/core/rollout/tenant-check.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

/** Each run of a seed adds a row. */
const SEEDS = {
  'seeds/tenants/1_notes.sql': 'INSERT INTO notes SELECT count(*) + 1 FROM notes;',
  'seeds/tenants/2_tags.mjs':
    "export const seed = async (knex) => knex('tags').insert({ id: (await knex('tags')).length + 1 });",
};
const BOTH = ['1_notes.sql', '2_tags.mjs'];
const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

async function seededFleet(files: Readonly<Record<string, string>> = {}) {
  return createFleet(ORGANIZATIONS, { project: await usualProject({ ...SEEDS, ...files }) });
}

function optionsOf({ project }: TestFleet): SeedTenantsOptions {
  const seedFolder = join(project.folder, 'seeds/tenants');
  return { folder: project.tenants, masterFolder: project.master, seedFolder };
}

function seed(fleet: TestFleet, options: Partial<SeedTenantsOptions> = {}) {
  return seedTenants(fleet.database, { ...optionsOf(fleet), ...options });
}

/** How often seeds have run in each of the tenants: "notes tags". */
async function rows({ query }: TestFleet) {
  const counts = ORGANIZATIONS.map((organization) => {
    const schema = schemaNameFor(organization);
    return `SELECT (SELECT count(*) FROM ${schema}.notes) || ' ' || (SELECT count(*) FROM ${schema}.tags) AS rows`;
  });
  return (await query<{ rows: string }>(counts.join(' UNION ALL '))).map((row) => row.rows);
}

test('seeds run once in every tenant, a changed or new one again, and all that --again names', async () => {
  const fleet = await seededFleet();
  const events: RunEvent[] = [];
  const first = await seed(fleet, { observe: (event) => events.push(event) });
  expect(first).toMatchObject({
    totals: { selected: 3, upToDate: 0, changed: 3, failed: 0, skipped: 0 },
    tenants: ORGANIZATIONS.map(() => ({ outcome: 'seeded', names: BOTH, batch: 0 })),
  });
  expect(events.map(({ type }) => type)).toEqual([
    'selected',
    'started',
    'tenant',
    'tenant',
    'tenant',
    'ended',
  ]);
  const run = await readRun(fleet.database, first.run ?? 0);
  expect(run).toMatchObject({ command: 'seed tenants', planned: BOTH, totals: { changed: 3 } });
  const entries = await readRunTenants(fleet.database, run.id, { onlyFailed: false });
  expect(entries).toMatchObject(
    ORGANIZATIONS.map((clerkOrgId) => ({ clerkOrgId, outcome: 'seeded', names: BOTH })),
  );
  expect(await rows(fleet)).toEqual(['1 1', '1 1', '1 1']);

  expect((await seed(fleet)).totals).toMatchObject({ upToDate: 3, changed: 0 });
  await fleet.project.write('seeds/tenants/1_notes.sql', `${SEEDS['seeds/tenants/1_notes.sql']} -- changed`);
  await fleet.project.write('seeds/tenants/3_more.sql', 'INSERT INTO tags VALUES (100);');
  const second = await seed(fleet, { tenants: ['org_a', schemaNameFor('org_b')] });
  expect(second.tenants).toMatchObject([1, 2].map(() => ({ names: ['1_notes.sql', '3_more.sql'] })));
  expect(await rows(fleet)).toEqual(['2 2', '2 2', '1 1']);

  const again = await seed(fleet, { only: ['1_notes'], again: true });
  expect(again.tenants).toMatchObject([1, 2, 3].map(() => ({ names: ['1_notes.sql'] })));
  expect(await rows(fleet)).toEqual(['3 2', '3 2', '2 1']);
  const asked = await fleet.query('SELECT options FROM tenantctl.runs WHERE id = $1', [again.run]);
  expect(asked).toMatchObject([{ options: { only: ['1_notes'], again: true } }]);
  const rest = await seed(fleet);
  expect(resultOf(rest, 'org_c').names).toEqual(['3_more.sql']);
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, failed: 0 });
});

test('a tenant whose seed fails keeps nothing of its seeds, and the next run seeds it alone', async () => {
  const fleet = await seededFleet({
    'seeds/tenants/3_only.cjs': `exports.seed = async (knex) => {
      if (knex.userParams.clerkOrgId === 'org_b') await knex('tags').insert({ id: 1 });
    };`,
  });
  const first = await seed(fleet);
  expect(first.totals).toMatchObject({ changed: 2, failed: 1 });
  expect(resultOf(first, 'org_b')).toMatchObject({
    names: [],
    error: {
      code: 'SEED_FAILED',
      migration: '3_only.cjs',
      sqlstate: '23505',
      tenant: 'org_b',
      hint: expect.stringContaining('ON CONFLICT'),
    },
  });
  expect(await rows(fleet)).toEqual(['1 1', '0 0', '1 1']);
  // The tenant is as good as before.
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, failed: 0 });
  await fleet.project.write('seeds/tenants/3_only.cjs', 'exports.seed = async () => "nothing";');
  await fleet.project.remove('seeds/tenants/3_only.cjs');
  expect((await seed(fleet)).totals).toMatchObject({ upToDate: 2, changed: 1 });
  expect(await rows(fleet)).toEqual(['1 1', '1 1', '1 1']);
});

test('a tenant that lacks migrations has failed, with how to migrate it', async () => {
  const fleet = await seededFleet();
  await fleet.add('3_more.sql', '-- migrate:up\nCREATE TABLE more ();');
  await fleet.migrate({ tenants: ['org_a', 'org_c'] });
  const result = await seed(fleet);
  expect(result.totals).toMatchObject({ changed: 2, failed: 1 });
  expect(resultOf(result, 'org_b').error).toMatchObject({
    code: 'TENANT_BEHIND',
    message: '1 migration is pending, and seeds are written for the newest schema: 3_more.sql.',
    hint: 'Migrate it first: tenantctl migrate tenants --tenant org_b',
  });
  await fleet.project.write('migrations/master/30250101000000_x.sql', '-- migrate:up\nSELECT 1;');
  expect(await refusalOf(seed(fleet))).toMatchObject({ code: 'MASTER_PENDING' });
});

test('a tenant whose migrations are undone while the run is at work is not seeded', async () => {
  const fleet = await seededFleet({ 'seeds/tenants/0_wait.sql': WAIT_AT_GATE });
  const gate = await closeGate(fleet.testDatabase);
  const run = seed(fleet, { concurrency: 1 });
  await gate.reached();
  await fleet.query(`DELETE FROM ${schemaNameFor('org_c')}.knex_migrations_tenant WHERE name LIKE '%tags%'`);
  await gate.open();
  const result = await run;
  expect(result.totals).toMatchObject({ changed: 2, failed: 1 });
  expect(resultOf(result, 'org_c').error).toMatchObject({ code: 'TENANT_BEHIND' });
});

test('two runs at once seed each tenant once', async () => {
  const fleet = await seededFleet({ 'seeds/tenants/0_wait.sql': WAIT_AT_GATE });
  const gate = await closeGate(fleet.testDatabase);
  const other = await fleet.testDatabase.open(6);
  const runs = [seed(fleet), seedTenants(other, optionsOf(fleet))];
  await gate.reached();
  await gate.open();
  const results = await Promise.all(runs);
  const sum = (key: 'changed' | 'upToDate' | 'failed') =>
    results.reduce((total, { totals }) => total + totals[key], 0);
  expect([sum('changed'), sum('upToDate'), sum('failed')]).toEqual([3, 3, 0]);
  expect(await rows(fleet)).toEqual(['1 1', '1 1', '1 1']);
});

test.each([false, true])(
  'a COMMIT whose answer is lost has run the seeds once (again: %s)',
  async (again) => {
    const fleet = await seededFleet();
    const proxy = await cuttingProxy(fleet.testDatabase.settings);
    const database = await openDatabase(proxy.settings, { maxConnections: 6 });
    onTestFinished(() => database.close());
    proxy.cutAfter('INSERT INTO tenantctl.scripts', 'COMMIT');
    const result = await seedTenants(database, { ...optionsOf(fleet), again });
    expect(proxy.cuts).toBe(1);
    expect(result.tenants).toMatchObject([1, 2, 3].map(() => ({ outcome: 'seeded', names: BOTH })));
    expect(await rows(fleet)).toEqual(['1 1', '1 1', '1 1']);
  },
);

test('a dry run shows what each tenant would be sent, and changes nothing', async () => {
  const fleet = await seededFleet();
  await seed(fleet, { only: ['2_tags'], tenants: ['org_c'] });
  const before = await rows(fleet);
  const { plans, upToDate } = await rehearseSeeds(fleet.database, optionsOf(fleet));
  expect(plans).toMatchObject([
    {
      targets: [{ clerkOrgId: 'org_a' }, { clerkOrgId: 'org_b' }],
      migrations: [{ name: BOTH[0] }, { name: BOTH[1] }],
    },
    {
      targets: [{ clerkOrgId: 'org_c' }],
      migrations: [{ name: BOTH[0], statements: [SEEDS['seeds/tenants/1_notes.sql']] }],
    },
  ]);
  expect(upToDate).toBe(0);
  expect(await rows(fleet)).toEqual(before);
});

test('canaries and a check stop the run, and what was not begun is seeded by the next', async () => {
  const fleet = await seededFleet({ 'check.sql': 'SELECT count(*) > 1 FROM notes' });
  const check = await readTenantCheck(join(fleet.project.folder, 'check.sql'));
  const rollout = { canary: { tenants: ['org_b'] }, check };
  const result = await seed(fleet, { rollout });
  expect(result.rollout).toMatchObject({ stopped: {}, refused: 1 });
  expect(result.totals).toMatchObject({ changed: 0, failed: 1, skipped: 2 });
  expect(await rows(fleet)).toEqual(['0 0', '1 1', '0 0']);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, failed: 0 });
  expect((await seed(fleet)).totals).toMatchObject({ upToDate: 1, changed: 2 });
});

test.each<[string, Partial<SeedTenantsOptions>, object]>([
  [
    'a name that no seed has',
    { only: ['2_tag'] },
    { code: 'SEED_UNKNOWN', hint: 'Did you mean 2_tags.mjs?' },
  ],
  ['an empty folder', { seedFolder: 'seeds' }, { code: 'SEEDS_FOLDER_EMPTY' }],
  ['no folder', { seedFolder: 'nowhere' }, { code: 'SEEDS_FOLDER_MISSING' }],
  ['an option of the wrong type', { only: '2_tags' as never }, { code: 'USAGE' }],
])('%s is refused before anything is done', async (_, options, error) => {
  const fleet = await seededFleet();
  const { folder } = fleet.project;
  const seedFolder = join(folder, options.seedFolder ?? 'seeds/tenants');
  expect(await refusalOf(seed(fleet, { ...options, seedFolder }))).toMatchObject(error);
  expect(await rows(fleet)).toEqual(['0 0', '0 0', '0 0']);
});

test('seeds are remembered of a schema that was restored from a dump, and run again in one that was made anew', async () => {
  const fleet = await seededFleet();
  await seed(fleet);
  const [restored, anew] = [schemaNameFor('org_a'), schemaNameFor('org_b')];
  // As pg_restore does: the same content in a schema with another oid.
  await fleet.query(`ALTER SCHEMA ${restored} RENAME TO dumped; CREATE SCHEMA ${restored}`);
  const tables = await fleet.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'dumped'",
  );
  for (const { name } of tables) await fleet.query(`ALTER TABLE dumped.${name} SET SCHEMA ${restored}`);
  await fleet.query(`DROP SCHEMA dumped CASCADE; DROP SCHEMA ${anew} CASCADE; CREATE SCHEMA ${anew}`);
  await fleet.migrate();

  const result = await seed(fleet);
  expect(resultOf(result, 'org_a').names).toEqual([]);
  expect(resultOf(result, 'org_b').names).toEqual(BOTH);
  expect(await rows(fleet)).toEqual(['1 1', '1 1', '1 1']);
});

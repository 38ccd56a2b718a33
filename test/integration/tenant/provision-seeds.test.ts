import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openProvisioner } from '../../../src/core/tenant/provisioner.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { seedTenants } from '../../../src/core/commands/seed-tenants.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { usualProject } from '../../support/project.ts';

/** The name of the first seed is a migration's, too. */
const SEEDS = {
  'seeds/tenants/20250101000001_notes.sql': 'INSERT INTO notes VALUES (1), (2);',
  'seeds/tenants/20250101000002_tags.mjs':
    "export const seed = (knex) => knex('tags').insert({ id: knex('notes').max('id') });",
};

async function provision(fleet: TestFleet, ...organizations: string[]) {
  const { project } = fleet;
  const options = { folder: project.tenants, seedFolder: join(project.folder, 'seeds/tenants') };
  return provisionTenants(fleet.database, organizations, options);
}

function rows({ query }: TestFleet, organization: string, table: string) {
  return query(`SELECT id FROM ${schemaNameFor(organization)}.${table} ORDER BY id`);
}

const remembered = ({ query }: TestFleet) =>
  query(
    `SELECT t.clerk_org_id AS org, s.name FROM tenantctl.scripts s JOIN tenantctl.tenants t ON t.id = s.tenant
     WHERE kind = 'seed' ORDER BY 1, 2`,
  );

test('new tenants get the seeds after the migrations, and are remembered to have them; others get none', async () => {
  const fleet = await createFleet(['org_old'], { project: await usualProject(SEEDS) });
  const results = await provision(fleet, 'org_a', 'org_b', 'org_c', 'org_old');
  expect(results.map(({ outcome }) => outcome)).toEqual([
    'provisioned',
    'provisioned',
    'provisioned',
    'already-active',
  ]);
  const names = ['20250101000001_notes.sql', '20250101000002_tags.sql'];
  const seeds = ['20250101000001_notes.sql', '20250101000002_tags.mjs'];
  expect(results[0]).toMatchObject({ applied: names, seeds });
  expect(results[3]?.seeds).toBeUndefined();
  const asked = await fleet.query('SELECT options FROM tenantctl.runs WHERE id = $1', [results[0]?.run]);
  expect(asked).toMatchObject([{ options: { seed: true } }]);
  for (const organization of ['org_a', 'org_b', 'org_c'])
    expect(await rows(fleet, organization, 'tags')).toEqual([{ id: 2 }]);
  expect(await rows(fleet, 'org_old', 'tags')).toEqual([]);
  expect(await fleet.history('org_a')).toEqual(names.map((name) => `${name}@1`));
  expect(await remembered(fleet)).toEqual(
    ['org_a', 'org_b', 'org_c'].flatMap((org) => seeds.map((name) => ({ org, name }))),
  );
  const entries = await readRunTenants(fleet.database, results[0]?.run ?? 0, { onlyFailed: false });
  expect(entries.map((entry) => entry.names)).toEqual([names, names, names]);
  expect(await fleet.migrate()).toMatchObject({ totals: { upToDate: 4, failed: 0 } });
});

test('seeds come after the repeatable scripts, and leave what is recorded of them alone', async () => {
  const scripts = {
    'repeatable/tenants/next.sql':
      'CREATE OR REPLACE FUNCTION next() RETURNS int LANGUAGE sql AS $$ SELECT 7 $$;',
    'seeds/tenants/1_use.sql': 'INSERT INTO tags VALUES (next());',
  };
  const fleet = await createFleet([], { project: await usualProject(scripts) });
  const { folder, tenants } = fleet.project;
  const folders = {
    folder: tenants,
    repeatableFolder: join(folder, 'repeatable/tenants'),
    seedFolder: join(folder, 'seeds/tenants'),
  };
  const [result] = await provisionTenants(fleet.database, ['org_a'], folders);
  expect(result).toMatchObject({
    outcome: 'provisioned',
    applied: ['20250101000001_notes.sql', '20250101000002_tags.sql', 'repeatable/next.sql'],
    seeds: ['1_use.sql'],
  });
  expect(await rows(fleet, 'org_a', 'tags')).toEqual([{ id: 7 }]);
  await seedTenants(fleet.database, { ...folders, again: true, only: ['1_use'] });
  const kinds = await fleet.query('SELECT kind FROM tenantctl.scripts ORDER BY 1');
  expect(kinds).toEqual([{ kind: 'repeatable' }, { kind: 'seed' }]);
  expect(await fleet.migrate(folders)).toMatchObject({ totals: { upToDate: 1, changed: 0 } });
});

test('a seed that fails leaves the tenant FAILED and nothing of it; again finishes the job', async () => {
  const fleet = await createFleet([], { project: await usualProject(SEEDS) });
  const before = await catalogOf(fleet.testDatabase);
  await fleet.project.write('seeds/tenants/3_bad.sql', 'INSERT INTO tags VALUES (1/0);');
  const [failed] = await provision(fleet, 'org_a');
  expect(failed).toMatchObject({
    outcome: 'failed',
    applied: [],
    error: { code: 'SEED_FAILED', tenant: 'org_a', migration: '3_bad.sql', sqlstate: '22012' },
  });
  expect(await fleet.query('SELECT status FROM tenants')).toEqual([{ status: 'FAILED' }]);
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
  expect(await remembered(fleet)).toEqual([]);

  await fleet.project.write('seeds/tenants/3_bad.sql', 'INSERT INTO tags VALUES (7);');
  const { project, database } = fleet;
  const folders = { folder: project.tenants, seedFolder: join(project.folder, 'seeds/tenants') };
  const provisioner = openProvisioner(database, folders);
  expect(await provisioner.provision('org_a')).toMatchObject({ outcome: 'provisioned' });
  await provisioner.close();
  expect(await rows(fleet, 'org_a', 'tags')).toEqual([{ id: 2 }, { id: 7 }]);
});

test('seeds run once beside a migration outside a transaction, and where each part needs a commit', async () => {
  const fleet = await createFleet([], { project: await usualProject(SEEDS) });
  await fleet.add('3_index.sql', '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY ON notes (id);');
  // Committed before the next one.
  await fleet.project.write('seeds/tenants/1_first.sql', 'CREATE TEMP TABLE t (id int) ON COMMIT DROP;');
  const results = await provision(fleet, 'org_a', 'org_b');
  expect(results.map(({ outcome, applied }) => [outcome, applied.length])).toEqual([
    ['provisioned', 3],
    ['provisioned', 3],
  ]);
  for (const organization of ['org_a', 'org_b'])
    expect(await rows(fleet, organization, 'tags')).toEqual([{ id: 2 }]);
  expect(await remembered(fleet)).toHaveLength(6);
});

test('a seed that is broken, or reaches outside its tenant, changes nothing', async () => {
  const fleet = await createFleet([], { project: await usualProject() });
  const empty = provision(fleet, 'org_a');
  await expect(empty).rejects.toMatchObject({ code: 'SEEDS_FOLDER_MISSING' });
  await fleet.project.write('seeds/tenants/1.mjs', 'export const sed = 1;');
  await expect(provision(fleet, 'org_a')).rejects.toMatchObject({ code: 'SEED_INVALID' });
  expect(await fleet.query('SELECT FROM tenants')).toEqual([]);
  await fleet.project.remove('seeds/tenants/1.mjs');
  await fleet.project.write('seeds/tenants/2.mjs', "export const seed = (knex) => knex.raw('COMMIT');");
  expect(await provision(fleet, 'org_a')).toMatchObject([
    {
      error: { code: 'SEED_FAILED', message: expect.stringContaining('2.mjs ended its transaction itself') },
    },
  ]);
  await fleet.project.remove('seeds/tenants/2.mjs');
  await fleet.project.write('seeds/tenants/3.sql', 'CREATE TABLE public.x ();');
  expect(await provision(fleet, 'org_a')).toMatchObject([
    {
      error: {
        code: 'MIGRATION_OUTSIDE_SCHEMA',
        migration: '3.sql',
        hint: expect.stringContaining("allowOutside: ['public.x'] }; in a seed in TypeScript or JavaScript"),
      },
    },
  ]);
});

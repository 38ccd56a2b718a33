import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { usualProject } from '../support/project.ts';

const at = ({ project, testDatabase }: TestFleet) => ({ cwd: project.folder, env: testDatabase.env });

/** How many notes each tenant has. */
async function notes({ query }: TestFleet, organizations: readonly string[]) {
  const counts = organizations.map((each) => `SELECT count(*)::int AS n FROM ${schemaNameFor(each)}.notes`);
  return (await query<{ n: number }>(counts.join(' UNION ALL '))).map(({ n }) => n);
}

test('a seed is made, filled in, shown, and run in every tenant, old and new', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const absent = await tenantctl(['seed', 'tenants'], at(fleet));
  expect(absent).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('tenantctl make seed <name>'),
  });

  const made = await tenantctl(['make', 'seed', 'plans', '--format', 'sql', '--json'], at(fleet));
  const { path } = made.json<{ path: string }>();
  expect(path).toMatch(/^seeds\/tenants\/\d{14}_plans\.sql$/);
  const empty = await tenantctl(['seed', 'tenants', '--json'], at(fleet));
  expect(empty.json()).toMatchObject({ ok: false, error: { code: 'SEED_INVALID' } });
  await writeFile(join(fleet.project.folder, path), 'INSERT INTO notes VALUES (1);');

  const shown = await tenantctl(['seed', 'tenants', '--dry-run'], at(fleet));
  expect(shown).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('INSERT INTO notes VALUES (1)'),
  });
  const seeded = await tenantctl(['seed', 'tenants'], at(fleet));
  expect(seeded.exitCode).toBe(0);
  expect(seeded.stdout).toMatch(/2 tenants seeded:\n {2}\d{14}_plans\.sql\n {4}org_a +tid_\w+ +\d+ ms\n/);
  expect(seeded.stdout).toContain('2 tenants: 2 seeded, 0 up to date, 0 failed');

  const provisioned = await tenantctl(['tenant', 'provision', 'org_c', '--seed'], at(fleet));
  expect(provisioned.stdout).toContain('(2 migrations, 1 seed, ');
  const known = await tenantctl(['tenant', 'provision', 'org_c', '--seed'], at(fleet));
  expect(known.stdout).toContain('tenantctl seed tenants --tenant org_c');
  expect(await notes(fleet, ['org_a', 'org_b', 'org_c'])).toEqual([1, 1, 1]);
  const again = await tenantctl(['seed', 'tenants', '--only', 'plan', '--json'], at(fleet));
  expect(again.json()).toMatchObject({
    error: { code: 'SEED_UNKNOWN', hint: `Did you mean ${path.split('/').at(-1)}?` },
  });
  const idle = await tenantctl(['seed', 'tenants', '--json'], at(fleet));
  expect(idle.json()).toMatchObject({
    command: 'seed tenants',
    ok: true,
    totals: { selected: 3, upToDate: 3, seeded: 0, failed: 0, skipped: 0 },
    tenants: [],
  });
  const all = await tenantctl(['seed', 'tenants', '--all'], at(fleet));
  expect(all.stdout).toContain('3 tenants up to date:\n    org_a\n    org_b\n    org_c\n');
  const runs = await tenantctl(['runs', 'show', /runs show (\d+)/.exec(seeded.stdout)?.[1] ?? ''], at(fleet));
  expect(runs.stdout).toMatch(/command +seed tenants\n[^]*seeds +\d{14}_plans\.sql\n[^]*2 seeded/);
});

test('a killed run has seeded each tenant wholly or not at all, and the next one does the rest', async () => {
  const organizations = Array.from({ length: 8 }, (_, nth) => `org_${nth}`);
  // A second time, each would fail.
  const first = 'INSERT INTO notes VALUES (1);';
  const last = `export const seed = async (knex) => {
    await knex('notes').insert({ id: 2 });
    if (['org_4', 'org_5'].includes(knex.userParams.clerkOrgId)) await knex.raw('${WAIT_AT_GATE}');
  };`;
  const seeds = { 'seeds/tenants/1_first.sql': first, 'seeds/tenants/2_last.mjs': last };
  const fleet = await createFleet(organizations, { project: await usualProject(seeds) });
  const gate = await closeGate(fleet.testDatabase);
  const child = startCli(['seed', 'tenants', '--concurrency', '2'], at(fleet));
  await gate.reached(2);
  child.kill('SIGKILL');
  await child.done;
  await gate.open();
  const before = await notes(fleet, organizations);
  expect(before.filter((n) => n === 0).length).toBeGreaterThanOrEqual(4);
  expect(before.every((n) => n === 0 || n === 2)).toBe(true);

  const rest = await tenantctl(['seed', 'tenants', '--json'], at(fleet));
  const left = before.filter((n) => n === 0).length;
  expect(rest.json()).toMatchObject({ totals: { seeded: left, upToDate: 8 - left, failed: 0 } });
  expect(await notes(fleet, organizations)).toEqual(organizations.map(() => 2));
});

import { expect, test } from 'vitest';
import { fleetReport } from '../../src/core/fleet/fleet-report.ts';
import { tenantsByNode } from '../../src/core/fleet/tenants-by-node.ts';
import { readRunTenants } from '../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { moveTenant, planMove } from '../../src/core/tenant/move.ts';
import { createCitusFleet } from '../support/citus-fleet.ts';
import { tenantctl } from '../support/cli.ts';
import type { TestFleet } from '../support/fleet.ts';
import { holdLock } from '../support/hold-lock.ts';
import { refusalOf } from '../support/refusal.ts';

const A = schemaNameFor('org_a');

/** Where a tenant is, and another node that takes tenants. */
async function placesOf({ database }: TestFleet, organization: string) {
  const { nodes } = await tenantsByNode(database);
  const has = nodes.find(({ tenants }) => tenants.some(({ clerkOrgId }) => clerkOrgId === organization));
  const other = nodes.find((node) => node !== has && node.takesTenants);
  return { from: has?.name ?? '', to: other?.name ?? '' };
}

test('a tenant moves to another node with its rows, goes on there, and the ledger says so', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  const { database } = fleet;
  const { from, to } = await placesOf(fleet, 'org_a');
  await fleet.query(`INSERT INTO ${A}.notes (n) SELECT g FROM generate_series(1, 100) g`);

  expect(await planMove(database, 'org_a', { to })).toMatchObject({ outcome: 'moved', from, to });
  expect((await placesOf(fleet, 'org_a')).from).toBe(from);
  const moved = await moveTenant(database, 'org_a', { to });

  expect(moved).toMatchObject({ clerkOrgId: 'org_a', schema: A, outcome: 'moved', from, to });
  expect((await placesOf(fleet, 'org_a')).from).toBe(to);
  expect(await readRunTenants(database, moved.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: 'org_a', outcome: 'moved' },
  ]);
  expect(await moveTenant(database, A, { to })).toMatchObject({ outcome: 'already-there', from: to });
  await fleet.add('20250101000003_color.sql', '-- migrate:up\nALTER TABLE notes ADD COLUMN color text;');
  expect((await fleet.migrate()).tenants.map(({ outcome }) => outcome)).toEqual(['migrated', 'migrated']);
  expect(await fleet.query(`SELECT count(*)::int AS rows, max(color) AS color FROM ${A}.notes`)).toEqual([
    { rows: 100, color: null },
  ]);
});

test('a tenant does not move while another has its lock, and not by a table without a key unless writes may wait', async () => {
  const fleet = await createCitusFleet(['org_a']);
  const { from, to } = await placesOf(fleet, 'org_a');
  const held = await holdLock(fleet.testDatabase, `tenant:${A}`);
  expect(await refusalOf(moveTenant(fleet.database, 'org_a', { to, lockWaitMs: 100 }))).toMatchObject({
    code: 'LOCK_TIMEOUT',
  });
  await held.release();

  await fleet.query(`CREATE TABLE ${A}.keyless (n int)`);
  expect(await refusalOf(moveTenant(fleet.database, 'org_a', { to }))).toMatchObject({
    hint: expect.stringContaining('--block-writes') as string,
  });
  expect((await placesOf(fleet, 'org_a')).from).toBe(from);
  await moveTenant(fleet.database, 'org_a', { to, blockWrites: true });
  expect((await placesOf(fleet, 'org_a')).from).toBe(to);
});

test('a report has the sizes of the nodes', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  await fleet.query(`INSERT INTO ${A}.notes (n) SELECT g FROM generate_series(1, 5000) g`);
  const { tenants, sizesNote } = await fleetReport(fleet.database, { tenantFolder: fleet.project.tenants });
  expect(sizesNote).toBeUndefined();
  const placed = (await tenantsByNode(fleet.database)).nodes.flatMap((node) => node.tenants);
  const sizes = (all: readonly { readonly schema: string; readonly bytes?: number | null | undefined }[]) =>
    Object.fromEntries(all.map(({ schema, bytes }) => [schema, bytes]));
  expect(sizes(tenants)).toEqual(sizes(placed));
  expect(sizes(tenants)[A]).toBeGreaterThan(200_000);
});

test('what cannot move is refused with the reason before anything is done', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  const { database, query } = fleet;
  const { to } = await placesOf(fleet, 'org_a');
  const refuse = (tenant: string, node: string) => refusalOf(moveTenant(database, tenant, { to: node }));

  const unknown = await refuse('org_a', 'nowhere:5432');
  expect(unknown).toMatchObject({ code: 'NODE_UNKNOWN' });
  expect(unknown.hint).toContain(to);
  const { nodes } = await tenantsByNode(database);
  expect(await refuse('org_a', nodes.find(({ takesTenants }) => !takesTenants)?.name ?? '')).toMatchObject({
    code: 'NODE_UNUSABLE',
  });
  expect(await refuse('org_none', to)).toMatchObject({ code: 'TENANT_UNKNOWN' });
  await query(`UPDATE tenants SET status = 'FAILED' WHERE clerk_org_id = 'org_b'`);
  expect(await refuse('org_b', to)).toMatchObject({ code: 'TENANT_NOT_ACTIVE' });
  await query(`DROP SCHEMA ${A} CASCADE`);
  expect(await refuse('org_a', to)).toMatchObject({ code: 'TENANT_NOT_ON_NODE' });
  expect(await query(`SELECT FROM tenantctl.runs WHERE command = 'tenant move'`)).toEqual([]);
});

test('the commands say where tenants are, how large they are, and where they went', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  const { from, to } = await placesOf(fleet, 'org_a');
  const run = (...args: string[]) =>
    tenantctl(args, { cwd: fleet.project.folder, env: fleet.testDatabase.env });

  const moved = await run('tenant', 'move', 'org_a', '--to', to);
  expect(moved.stdout).toContain(`✔ org_a (${A}) is on ${to} now; it was on ${from}`);
  const again = await run('tenant', 'move', 'org_a', '--to', to, '--json');
  expect(again.json()).toMatchObject({ ok: true, outcome: 'already-there' });

  const status = await run('status', '--nodes', '--all', '--json');
  expect(status.json()).toMatchObject({
    elsewhere: 0,
    nodes: expect.arrayContaining([
      expect.objectContaining({
        name: to,
        list: expect.arrayContaining([
          { clerkOrgId: 'org_a', schema: A, bytes: expect.any(Number) as number },
        ]) as unknown,
      }),
    ]) as unknown,
  });
  expect((await run('status', '--nodes')).stdout).toMatch(/^node +tenants +size/);
});

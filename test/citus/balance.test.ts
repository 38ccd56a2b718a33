import { expect, test } from 'vitest';
import { tenantsByNode } from '../../src/core/fleet/tenants-by-node.ts';
import { readRuns, readRunTenants } from '../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { balanceTenants, planTenantBalance } from '../../src/core/tenant/balance.ts';
import { moveTenant } from '../../src/core/tenant/move.ts';
import { suspendTenant } from '../../src/core/tenant/suspend.ts';
import { createCitusFleet } from '../support/citus-fleet.ts';
import { tenantctl } from '../support/cli.ts';
import type { TestFleet } from '../support/fleet.ts';
import { holdLock } from '../support/hold-lock.ts';
import { refusalOf } from '../support/refusal.ts';

const FOUR = ['org_a', 'org_b', 'org_c', 'org_d'];

/** The nodes that take tenants, with how many each has. */
async function counts({ database }: TestFleet): Promise<Record<string, number>> {
  const { nodes } = await tenantsByNode(database);
  const taking = nodes.filter(({ takesTenants }) => takesTenants);
  return Object.fromEntries(taking.map(({ name, tenants }) => [name, tenants.length]));
}

/** Four tenants on one node. @returns that node, and the other */
async function onOneNode(fleet: TestFleet): Promise<{ readonly full: string; readonly empty: string }> {
  const [full = '', empty = ''] = Object.keys(await counts(fleet));
  for (const tenant of FOUR) await moveTenant(fleet.database, tenant, { to: full, blockWrites: true });
  return { full, empty };
}

test('tenants are evened out in one run, each with its own row, and then nothing is left to move', async () => {
  const fleet = await createCitusFleet(FOUR);
  const { database } = fleet;
  const { full, empty } = await onOneNode(fleet);
  await suspendTenant(database, 'org_a');

  const plan = await planTenantBalance(database, { by: 'tenants' });
  expect(plan.moves).toHaveLength(2);
  expect(await counts(fleet)).toEqual({ [full]: 4, [empty]: 0 });
  const balance = await balanceTenants(database, { by: 'tenants' });

  expect(balance.tenants.map(({ outcome }) => outcome)).toEqual(['moved', 'moved']);
  expect(balance.nodes).toMatchObject([
    { before: { tenants: 4 }, after: { tenants: 2 } },
    { before: { tenants: 0 }, after: { tenants: 2 } },
  ]);
  expect(await counts(fleet)).toEqual({ [full]: 2, [empty]: 2 });
  const recorded = await readRunTenants(database, balance.run ?? 0, { onlyFailed: false });
  expect(recorded.map(({ outcome }) => outcome)).toEqual(['moved', 'moved']);
  const names = (tenants: readonly { readonly schema: string }[]) =>
    new Set(tenants.map(({ schema }) => schema));
  expect(names(recorded)).toEqual(names(plan.moves));
  expect((await balanceTenants(database, { by: 'tenants' })).tenants).toEqual([]);
});

test('by size, the large tenant stays alone; the limit leaves the rest for the same command again', async () => {
  const fleet = await createCitusFleet(FOUR);
  const { full, empty } = await onOneNode(fleet);
  const B = schemaNameFor('org_b');
  await fleet.query(`INSERT INTO ${B}.notes (n) SELECT g FROM generate_series(1, 5000) g`);

  const first = await balanceTenants(fleet.database, { maxMoves: 1, blockWrites: true });
  expect(first).toMatchObject({ tenants: [{ outcome: 'moved', to: empty }], left: 2 });
  const second = await balanceTenants(fleet.database, { blockWrites: true });
  expect(second.tenants.map(({ outcome }) => outcome)).toEqual(['moved', 'moved']);
  const { nodes } = await tenantsByNode(fleet.database);
  const alone = nodes.find(({ name }) => name === full);
  expect(alone?.tenants.map(({ schema }) => schema)).toEqual([B]);
});

test('a tenant that cannot move fails alone, and a locked one is waited for', async () => {
  const fleet = await createCitusFleet(FOUR);
  const { full, empty } = await onOneNode(fleet);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_c')}.keyless (n int)`);
  const held = await holdLock(fleet.testDatabase, `tenant:${schemaNameFor('org_d')}`);

  const drain = { drain: full, lockWaitMs: 300 };
  const balance = await balanceTenants(fleet.database, drain);
  await held.release();

  const byTenant = new Map(
    balance.tenants.map(({ clerkOrgId, outcome, error }) => [clerkOrgId, error?.code ?? outcome]),
  );
  expect(Object.fromEntries(byTenant)).toEqual({
    org_a: 'moved',
    org_b: 'moved',
    org_c: 'DATABASE_ERROR',
    org_d: 'LOCK_TIMEOUT',
  });
  expect(balance.tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_c')?.error?.hint).toContain(
    '--block-writes',
  );
  const [run] = await readRuns(fleet.database, { limit: 1 });
  expect(run).toMatchObject({ command: 'fleet balance', outcome: 'failed' });
  await balanceTenants(fleet.database, { ...drain, blockWrites: true });
  expect(await counts(fleet)).toEqual({ [full]: 0, [empty]: 4 });
});

test('a tenant that is dropped or moved after the plan is left alone', async () => {
  const fleet = await createCitusFleet(FOUR);
  const { full, empty } = await onOneNode(fleet);
  const held = await holdLock(fleet.testDatabase, `tenant:${schemaNameFor('org_a')}`);
  const balance = balanceTenants(fleet.database, { drain: full });
  await expect.poll(() => counts(fleet), { timeout: 30_000 }).toEqual({ [full]: 1, [empty]: 3 });
  await fleet.query(`DELETE FROM tenants WHERE clerk_org_id = 'org_a'`);
  await held.release();

  const { tenants } = await balance;
  expect(tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_a')).toMatchObject({
    outcome: 'left-alone',
    reason: 'The tenant "org_a" is no longer in the registry.',
  });
});

test('the command shows the plan, the moves and the nodes, and refuses a node that the cluster lacks', async () => {
  const fleet = await createCitusFleet(FOUR);
  const { full, empty } = await onOneNode(fleet);
  const run = (...args: string[]) =>
    tenantctl(['fleet', 'balance', ...args], { cwd: fleet.project.folder, env: fleet.testDatabase.env });

  expect(await refusalOf(planTenantBalance(fleet.database, { drain: 'nowhere' }))).toMatchObject({
    code: 'NODE_UNKNOWN',
  });
  const planned = await run('--by', 'tenants', '--dry-run', '--max-moves', '1');
  expect(planned.stdout).toContain('1 tenant would move');
  expect(planned.stdout).toContain('1 more move planned');
  const json = await run('--by', 'tenants', '--json', '--max-moves', '1');
  expect(json.json()).toMatchObject({
    ok: true,
    tenants: [{ outcome: 'moved', from: full, to: empty, bytes: expect.any(Number) as number }],
    left: 1,
    nodes: [
      { name: full, after: { tenants: 3 } },
      { name: empty, after: { tenants: 1 } },
    ],
  });
  const drained = await run('--drain', empty);
  expect(drained.stdout).toMatch(/✔ org_\w is on .* now; it was on/);
  expect(drained.stdout).toContain('✔ 1 tenant: 1 moved');
});

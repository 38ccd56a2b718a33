import { expect, test } from 'vitest';
import { rehearseTenants, rehearseTenantsRollback } from '../../../src/core/commands/rehearse.ts';
import { readSelected, selectFleet } from '../../../src/core/fleet/select-fleet.ts';
import { readRun } from '../../../src/core/ledger/read-runs.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const IDLE = { org_b: 'SUSPENDED', org_c: 'ARCHIVED', org_d: 'PROVISIONING', org_e: 'FAILED' } as const;

async function partlyIdle() {
  const fleet = await createFleet(['org_a', ...Object.keys(IDLE)]);
  for (const [id, status] of Object.entries(IDLE))
    await fleet.query('UPDATE tenants SET status = $2 WHERE clerk_org_id = $1', [id, status]);
  return fleet;
}

test('a tenant asked for by name that is not ACTIVE is an error with the way out; the others are served', async () => {
  const fleet = await partlyIdle();
  await fleet.add('3_links.sql', createTable('links'));
  const tenants = ['org_a', ...Object.keys(IDLE)];
  const dryRun = await rehearseTenants(fleet.database, { folder: fleet.project.tenants, tenants });
  expect(dryRun.problems.map(({ error }) => error.tenant)).toEqual(Object.keys(IDLE));

  for (const [run, outcome] of [
    [await fleet.migrate({ tenants }), 'migrated'],
    [await fleet.rollback({ tenants }), 'rolled-back'],
  ] as const) {
    expect(run.totals).toMatchObject({ selected: 5, changed: 1, failed: 0, skipped: 4 });
    expect((await readRun(fleet.database, run.run ?? 0)).outcome).toBe('failed');
    expect(resultOf(run, 'org_a')).toMatchObject({ outcome });
    for (const [id, status] of Object.entries(IDLE))
      expect(resultOf(run, id)).toMatchObject({
        outcome: 'skipped',
        reason: `its status is ${status}`,
        error: { code: 'TENANT_NOT_ACTIVE', tenant: id, message: expect.stringContaining(status) },
      });
    expect(resultOf(run, 'org_b').error?.hint).toContain('tenantctl tenant resume org_b');
    expect(resultOf(run, 'org_d').error?.hint).toContain('tenantctl tenant provision org_d');
  }
  const back = await rehearseTenantsRollback(fleet.database, { folder: fleet.project.tenants, tenants });
  expect(back.problems.map(({ error }) => error.code)).toEqual(
    Object.keys(IDLE).map(() => 'TENANT_NOT_ACTIVE'),
  );
});

test('without names, tenants that are not ACTIVE are counted, and are no error', async () => {
  const fleet = await partlyIdle();
  await fleet.add('3_links.sql', createTable('links'));
  const { tenants, notActive } = await fleet.migrate();
  expect(tenants).toMatchObject([{ clerkOrgId: 'org_a', outcome: 'migrated' }]);
  expect(notActive).toEqual({ ARCHIVED: 1, FAILED: 1, PROVISIONING: 1, SUSPENDED: 1 });
});

test('a tenant suspended while it waits its turn is an error if it was asked for by name', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}`);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ tenants: ['org_a', 'org_b'] });
  await gate.reached();
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b'`);
  await gate.open();
  expect(resultOf(await run, 'org_b')).toMatchObject({
    outcome: 'skipped',
    error: { code: 'TENANT_NOT_ACTIVE', tenant: 'org_b' },
  });
});

test('a tenant that is registered, suspended or archived while a run of all begins is no error of that run', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { database, query } = fleet;
  await fleet.add('3_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}`);
  const selected = await readSelected(database, {});
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name) VALUES ('org_new', 'tid_new'); UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_c'`,
  );
  const { notActive, members } = await selectFleet(database, selected);
  expect(notActive).toEqual([]);
  expect(members.map(({ tenant }) => tenant.clerkOrgId)).toEqual(['org_a', 'org_b']);

  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate();
  await gate.reached();
  await query(
    `UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b';
     INSERT INTO tenantctl.verb_intents (tenant, verb) SELECT id, 'archive' FROM tenantctl.tenants WHERE clerk_org_id = 'org_b'`,
  );
  await gate.open();
  const { totals, tenants } = await run;
  expect(totals).toMatchObject({ changed: 1, failed: 0, skipped: 1 });
  expect(tenants.map(({ error }) => error)).toEqual([undefined, undefined]);
});

test('a retry names what it cannot retry: tenants no longer ACTIVE, gone from the registry, or not of that run', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add('3_bad.sql', '-- migrate:up\nSELECT 1/0;');
  const { run } = await fleet.migrate({ tenants: ['org_a', 'org_b'] });
  await fleet.add('3_bad.sql', createTable('good'));
  const refusal = await refusalOf(fleet.migrate({ retryFailed: run, tenants: ['org_a', 'org_c'] }));
  expect(refusal).toMatchObject({ code: 'USAGE', tenant: 'org_c' });

  await fleet.query(`UPDATE tenants SET status = 'ARCHIVED' WHERE clerk_org_id = 'org_a'`);
  await fleet.query(`DELETE FROM tenants WHERE clerk_org_id = 'org_b'`);
  const told: string[] = [];
  const again = await fleet.migrate({
    retryFailed: run,
    observe: (event) => void (event.type === 'warning' && told.push(event.message)),
  });
  expect(again.tenants).toMatchObject([
    { clerkOrgId: 'org_a', outcome: 'skipped', error: { code: 'TENANT_NOT_ACTIVE' } },
  ]);
  expect(told).toEqual(['1 tenant is not retried: no longer in the registry.']);
});

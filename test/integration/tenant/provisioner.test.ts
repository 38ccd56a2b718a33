import { expect, test } from 'vitest';
import { readRuns } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { openProvisioner, type ProvisionerOptions } from '../../../src/core/tenant/provisioner.ts';
import { createFleet } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { refusalOf } from '../../support/refusal.ts';

async function setOut(more: Partial<ProvisionerOptions> = {}) {
  const fleet = await createFleet([]);
  const { project, database } = fleet;
  const folders = { folder: project.tenants, masterFolder: project.master };
  return { ...fleet, provisioner: openProvisioner(database, { ...folders, ...more }) };
}

test('a storm of sign-ups is provisioned in the order of the queue; who is asked for twice is provisioned once', async () => {
  const { provisioner, database, query } = await setOut({ concurrency: 3 });
  const before = (await readRuns(database)).length;
  const ids = Array.from({ length: 7 }, (_, at) => `org_${at}`);
  const results = await Promise.all([...ids, ...ids, ...ids].map((id) => provisioner.provision(id)));
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['provisioned']));
  expect(results.slice(0, 7)).toEqual(results.slice(7, 14));
  expect(await query('SELECT FROM tenants')).toHaveLength(7);
  // The first alone, then three at a time.
  expect(await readRuns(database)).toHaveLength(before + 3);
  expect((await provisioner.provision('org_1')).outcome).toBe('already-active');
  expect(await refusalOf(provisioner.provision(' '))).toMatchObject({ code: 'ORGANIZATION_ID_INVALID' });
  expect(await refusalOf(provisioner.provision(5 as unknown as string))).toMatchObject({ code: 'USAGE' });
});

test('a call that has waited long enough is told to ask again, and the work goes on; close waits for it', async () => {
  const { provisioner, query, testDatabase } = await setOut({ maxWaiting: 1, concurrency: 1 });
  const lock = await holdLock(testDatabase, `tenant:${schemaNameFor('org_a')}`);
  const patient = provisioner.provision('org_a');
  expect(await refusalOf(provisioner.provision('org_a', { timeoutMs: 100 }))).toMatchObject({
    code: 'PROVISIONING_PENDING',
    retryable: true,
    tenant: 'org_a',
  });
  const next = provisioner.provision('org_b');
  expect(await refusalOf(provisioner.provision('org_c'))).toMatchObject({
    code: 'PROVISIONER_FULL',
    retryable: true,
  });
  const aborted = provisioner.provision('org_b', { signal: AbortSignal.timeout(50) });
  expect(await refusalOf(aborted)).toMatchObject({ code: 'INTERRUPTED', retryable: true });
  const closed = provisioner.close();
  expect(await refusalOf(provisioner.provision('org_d'))).toMatchObject({
    code: 'DATABASE_CLOSED',
    retryable: true,
  });
  await lock.release();
  await closed;
  expect([(await patient).outcome, (await next).outcome]).toEqual(['provisioned', 'provisioned']);
  expect(await query(`SELECT FROM tenants WHERE status = 'ACTIVE'`)).toHaveLength(2);
});

test('what ends a whole run is told to every caller, and the next call tries again', async () => {
  const fleet = await setOut();
  await fleet.project.write('migrations/master/9_later.sql', '-- migrate:up\nSELECT 1;\n-- migrate:down\n');
  const refused = ['org_a', 'org_b'].map((id) => refusalOf(fleet.provisioner.provision(id)));
  expect((await Promise.all(refused)).map(({ code }) => code)).toEqual(['MASTER_PENDING', 'MASTER_PENDING']);
  await fleet.project.remove('migrations/master/9_later.sql');
  await fleet.project.write('migrations/tenants/9_bad.sql', '-- migrate:up\nSELECT 1/0;');
  expect(await refusalOf(fleet.provisioner.provision('org_a'))).toMatchObject({ code: 'MIGRATION_FAILED' });
  await fleet.project.remove('migrations/tenants/9_bad.sql');
  expect((await fleet.provisioner.provision('org_a')).outcome).toBe('provisioned');
});

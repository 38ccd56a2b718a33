import { expect, test } from 'vitest';
import { grantApplication } from '../../../src/core/commands/grant-application.ts';
import { writeTenants } from '../../../src/core/commands/write-tenants.ts';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { beginVerb, endVerb } from '../../../src/core/state/verb-intents.ts';
import { resumeTenants } from '../../../src/core/tenant/resume.ts';
import { markMigrations } from '../../../src/core/commands/mark-migrations.ts';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { readUsableTenants } from '../../../src/core/fleet/usable-tenants.ts';
import { queryTenants } from '../../../src/core/query/query-tenants.ts';
import { archiveTenants, planArchive } from '../../../src/core/tenant/archive.ts';
import { backupTenants } from '../../../src/core/tenant/backup.ts';
import { cloneTenant, planClone } from '../../../src/core/tenant/clone.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { unarchiveTenants } from '../../../src/core/tenant/unarchive.ts';
import { refusalOf } from '../../support/refusal.ts';
import { planStatusChange, suspendTenants } from '../../../src/core/tenant/suspend.ts';
import { contentOf } from '../../support/catalog.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createRole } from '../../support/stamps.ts';

const A = schemaNameFor('org_a');
const UNFINISHED = { code: 'TENANT_UNFINISHED', tenant: 'org_a' };

/** The error that a command has for org_a. */
const errorIn = ({ tenants }: { tenants: readonly { clerkOrgId: string | null; error?: unknown }[] }) =>
  tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_a')?.error;

/** A run that is still at work, as far as others can see: its lease is held. */
async function runAtWork({ testDatabase, query }: TestFleet): Promise<number> {
  await holdLock(testDatabase, 'lease:test');
  const [run] = await query<{ id: number }>(
    `INSERT INTO tenantctl.runs (command, host, pid, version, lease) VALUES ('tenant archive', 'h', 1, '0', 'test') RETURNING id::int`,
  );
  return run?.id ?? 0;
}

test('a tenant whose verb has not ended is refused by every command, and told with the command that ends it', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  const { database, project, query, testDatabase } = fleet;
  const contentOfA = async () =>
    (await contentOf(testDatabase)).filter((line) => line.includes(A) && !line.includes('tenant_failures'));
  const role = await createRole(fleet.testDatabase);
  await query(beginVerb(A, { verb: 'archive', details: { command: 'tenantctl tenant archive org_a' } }));
  await fleet.add('3_links.sql', createTable('links'));
  const migrated = await fleet.migrate();
  expect(resultOf(migrated, 'org_a').error).toMatchObject({
    ...UNFINISHED,
    hint: expect.stringContaining(
      'tenantctl tenant archive org_a Or drop the tenant: tenantctl tenant drop org_a',
    ),
  });
  expect(migrated.totals).toMatchObject({ changed: 3, failed: 1 });
  const before = await contentOfA();
  expect(errorIn(await fleet.rollback())).toMatchObject(UNFINISHED);
  expect(errorIn(await suspendTenants(database, ['org_a']))).toMatchObject(UNFINISHED);
  expect(errorIn(await writeTenants(database, { sql: 'SELECT 1' }))).toMatchObject(UNFINISHED);
  expect(errorIn(await grantApplication(database, role))).toMatchObject(UNFINISHED);
  expect(await contentOfA()).toEqual(before);

  const { states, tenants } = await fleet.status();
  expect(tenants).toMatchObject({ broken: 1 });
  expect(states.find(({ tenant }) => tenant.clerkOrgId === 'org_a')).toMatchObject({
    class: 'broken',
    attention: { code: 'UNFINISHED', problem: expect.stringMatching(/^its archive began at 20/) },
  });
  const { checks } = await diagnose({ nodeVersion: '24.0.0', database: testDatabase.settings });
  expect(checks.find(({ id }) => id === 'unfinished-verbs')).toMatchObject({
    status: 'failed',
    remedy: 'tenantctl tenant archive org_a',
  });

  await query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_a'`);
  const resumed = await resumeTenants(database, ['org_a'], { folder: project.tenants });
  expect(errorIn(resumed)).toMatchObject(UNFINISHED);
  await query(`UPDATE tenants SET status = 'PROVISIONING' WHERE clerk_org_id = 'org_a'`);
  expect((await fleet.provision('org_a'))[0]?.error).toMatchObject(UNFINISHED);
  expect(await query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_a'`)).toEqual([
    { status: 'PROVISIONING' },
  ]);

  await query(endVerb(A));
  expect((await fleet.provision('org_a'))[0]?.outcome).toBe('provisioned');
});

test.each([
  ['drop', 'SUSPENDED'],
  ['restore', 'PROVISIONING'],
] as const)('what a %s has left %s is explained by that, and not by the status', async (verb, status) => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, query, project } = fleet;
  const folder = project.tenants;
  await query(
    `UPDATE tenants SET status = '${status}' WHERE clerk_org_id = 'org_a'; ${beginVerb(A, { verb })}`,
  );
  const contentOfA = async () =>
    (await contentOf(fleet.testDatabase)).filter(
      (line) => line.includes(A) && !line.includes('tenantctl.tenants'),
    );
  const before = await contentOfA();
  const tenants = ['org_a'];
  const results: Record<string, () => Promise<Parameters<typeof errorIn>[0]>> = {
    suspend: () => suspendTenants(database, tenants),
    suspendUnfinished: () => suspendTenants(database, tenants, { unfinished: true }),
    suspendPlan: async () => ({ tenants: (await planStatusChange(database, 'suspend', tenants)).results }),
    resume: () => resumeTenants(database, tenants, { folder }),
    backup: () => backupTenants(database, { tenants, directory: project.folder }),
    archive: () => archiveTenants(database, tenants, { backupFolder: project.folder }),
    archivePlan: async () => ({ tenants: (await planArchive(database, tenants)).results }),
    unarchive: () => unarchiveTenants(database, tenants, { folder }),
    provision: async () => ({ tenants: await fleet.provision('org_a') }),
    exec: () => queryTenants(database, { tenants, sql: 'SELECT 1', onRows: () => {} }),
    each: async () => ({
      tenants: (await readUsableTenants(database, { tenants })).refused.map(({ error }) => ({
        clerkOrgId: 'org_a',
        error,
      })),
    }),
    mark: () => markMigrations(database, { folder, all: true, tenants }),
    migrate: () => fleet.migrate({ tenants }),
    rollback: () => fleet.rollback({ tenants }),
  };
  const error = { ...UNFINISHED, hint: expect.stringContaining(`tenantctl tenant ${verb} org_a`) };
  for (const [what, call] of Object.entries(results))
    expect({ what, error: errorIn(await call()) }).toMatchObject({ what, error });
  const refused: Record<string, () => Promise<unknown>> = {
    clone: () => cloneTenant(database, 'org_a', 'org_new', { folder }),
    clonePlan: () => planClone(database, 'org_a', 'org_new', { folder }),
    rename: () => renameTenant(database, 'org_a', 'org_new'),
    resolve: () => resolveInterrupted(database, { tenant: 'org_a', answer: 'retry' }),
  };
  for (const [what, call] of Object.entries(refused))
    expect({ what, error: await refusalOf(call()) }).toMatchObject({ what, error });
  expect(await contentOfA()).toEqual(before);
});

test('a verb that is at work is no finding of status; its tenant is refused under the lock, also by a string for many', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d', 'org_e']);
  await fleet.query(beginVerb(A, { verb: 'archive', run: await runAtWork(fleet) }));
  expect((await fleet.status()).tenants).toMatchObject({ broken: 0, upToDate: 5 });
  await fleet.add('3_links.sql', createTable('links'));
  const migrated = await fleet.migrate({ concurrency: 1 });
  expect(errorIn(migrated)).toMatchObject(UNFINISHED);
  expect(migrated.totals).toMatchObject({ changed: 4, failed: 1 });
});

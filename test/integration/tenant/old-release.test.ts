import { expect, onTestFinished, test } from 'vitest';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const [LINKS, MARKS] = ['3_links.sql', '4_marks.sql'];

/** A fleet that a newer release has migrated, with the folders of the old one. */
async function deployed(organizations = ['org_a', 'org_b']) {
  const fleet = await createFleet(organizations);
  const old = await copyOf(fleet);
  await fleet.add(LINKS, createTable('links'));
  await fleet.add(MARKS, createTable('marks'));
  await fleet.migrate();
  return { fleet, ...old };
}

async function copyOf({ project, database }: TestFleet) {
  const copy = await mkdtemp(join(tmpdir(), 'tenantctl-old-'));
  onTestFinished(() => rm(copy, { recursive: true }));
  await cp(join(project.folder, 'migrations'), copy, { recursive: true });
  const folders = { master: join(copy, 'master'), tenants: join(copy, 'tenants') };
  const warnings: string[] = [];
  const observe = (event: RunEvent) => void (event.type === 'warning' && warnings.push(event.message));
  const provision = (...ids: string[]) =>
    provisionTenants(database, ids, { folder: folders.tenants, masterFolder: folders.master, observe });
  return { folders, warnings, provision };
}

test('an old release provisions as far as its folder goes; result, event, status and doctor name what is missing', async () => {
  const { fleet, folders, warnings, provision } = await deployed();
  expect(await provision('org_late')).toMatchObject([
    {
      outcome: 'provisioned-behind',
      applied: ['20250101000001_notes.sql', '20250101000002_tags.sql'],
      behind: [LINKS, MARKS],
    },
  ]);
  expect(warnings).toEqual([
    expect.stringContaining(`org_late is behind the fleet: other tenants have ${LINKS}`),
  ]);
  expect(await fleet.query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_late'`)).toEqual([
    { status: 'ACTIVE' },
  ]);

  const ofOld = await fleet.status({ tenantFolder: folders.tenants, listAll: true });
  expect(ofOld.tenants).toMatchObject({ total: 3, upToDate: 0, behind: 1, broken: 2 });
  expect(ofOld.states.find(({ tenant }) => tenant.clerkOrgId === 'org_late')).toMatchObject({
    class: 'behind',
    lacks: [LINKS, MARKS],
    attention: { code: 'BEHIND', problem: expect.stringContaining(`other tenants have ${LINKS}, ${MARKS}`) },
  });
  expect(await fleet.status({ tenantFolder: folders.tenants })).toMatchObject({ tenants: ofOld.tenants });
  expect((await fleet.status()).states).toMatchObject([
    { class: 'behind', pending: [LINKS, MARKS], lacks: [], attention: { code: 'BEHIND' } },
  ]);

  const run = await fleet.migrate({ folder: folders.tenants, masterFolder: folders.master });
  expect(run).toMatchObject({
    totals: { upToDate: 0, failed: 2, skipped: 1 },
    fleet: { upToDate: 0, behind: 1, broken: 2 },
  });
  expect(resultOf(run, 'org_late')).toMatchObject({ outcome: 'skipped', reason: 'behind the fleet' });
  const late = await fleet.migrate({
    folder: folders.tenants,
    masterFolder: undefined,
    tenants: ['org_late'],
  });
  expect(late).toMatchObject({ totals: { upToDate: 0, skipped: 1 }, fleet: { behind: 1, upToDate: 0 } });
  expect(resultOf(late, 'org_late').error).toMatchObject({ code: 'HISTORY_NEWER', tenant: 'org_late' });
  const allowed = await fleet.migrate({
    folder: folders.tenants,
    masterFolder: undefined,
    allowNewerHistory: true,
  });
  expect(allowed).toMatchObject({ totals: { upToDate: 2, skipped: 1, failed: 0 }, fleet: { behind: 1 } });
  expect(allowed.tenants.flatMap(({ error }) => error ?? [])).toEqual([]);

  const guide = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const alert = /```sql\n(WITH active AS[^`]+)```/.exec(guide)?.[1] ?? 'no query';
  expect(await fleet.query(alert)).toMatchObject([
    { tenants: '1', example: 'org_late', lacks: [LINKS, MARKS] },
  ]);

  const { checks } = await diagnose({
    nodeVersion: process.versions.node,
    database: fleet.testDatabase.settings,
    folders,
  });
  expect(checks.find(({ id }) => id === 'tenant-histories')?.detail).toContain('behind: org_late');

  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 2 });
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3 });
  expect(await fleet.query(alert)).toEqual([]);
});

test('only ACTIVE tenants are compared with, and only what is newer than the folder', async () => {
  const { fleet, folders, provision } = await deployed(['org_a']);
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED'`);
  expect((await provision('org_b'))[0]?.outcome).toBe('provisioned');
  await fleet.query(`UPDATE tenants SET status = 'ACTIVE'`);
  expect((await provision('org_c'))[0]?.outcome).toBe('provisioned-behind');
  await fleet.rollback({ tenants: ['org_a'] });
  expect((await provision('org_d'))[0]?.outcome).toBe('provisioned');
  expect((await fleet.status({ tenantFolder: folders.tenants })).tenants).toMatchObject({ upToDate: 4 });
});

test('with a newer master history an old release provisions, and warns; other disagreements name no flag that provisioning lacks', async () => {
  const fleet = await createFleet(['org_a']);
  const { folders, warnings, provision } = await copyOf(fleet);
  await fleet.project.write('migrations/master/9_areas.sql', createTable('areas'));
  await fleet.project.write('migrations/master/0_late.sql', createTable('late'));
  const { migrateMaster } = await import('../../../src/core/commands/migrate-master.ts');
  await migrateMaster(fleet.database, { folder: fleet.project.master, allowOutOfOrder: true, to: '9_areas' });
  await cp(fleet.project.master, folders.master, { recursive: true });
  await rm(join(folders.master, '9_areas.sql'));
  expect((await provision('org_b'))[0]?.outcome).toBe('provisioned');
  expect(warnings).toEqual([expect.stringContaining('The history holds 9_areas, newer than every file')]);

  await fleet.query(`DELETE FROM knex_migrations_master WHERE name = '0_late.sql'`);
  const refusal = await refusalOf(provision('org_c'));
  expect(refusal).toMatchObject({
    code: 'MIGRATION_OUT_OF_ORDER',
    hint: expect.stringContaining('tenantctl migrate all --allow-out-of-order'),
  });
});

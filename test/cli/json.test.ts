import { expect, test } from 'vitest';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable, usualProject } from '../support/project.ts';

const NOTES = '20250101000001_notes.sql';
const TAGS = '20250101000002_tags.sql';
const INIT = '20250101000000_init_db.sql';

const anyNumber = expect.any(Number) as number;
const anyDate = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;

/** The document of a command that must succeed, with nothing on stderr. */
function documentOf(result: CliResult): unknown {
  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  return result.json();
}

test('every command has the document that DESIGN.md promises, from the first migration to the last rollback', async () => {
  const project = await usualProject();
  const { env } = await createDatabase();
  const run = async (...args: string[]) =>
    documentOf(await tenantctl([...args, '--json'], { cwd: project.folder, env }));

  expect(await run('migrate', 'master')).toEqual({
    command: 'migrate master',
    ok: true,
    run: anyNumber,
    applied: [INIT],
    batch: 1,
    durationMs: anyNumber,
  });
  expect(await run('tenant', 'provision', 'org_a')).toEqual({
    command: 'tenant provision',
    ok: true,
    run: anyNumber,
    tenants: [
      {
        clerkOrgId: 'org_a',
        schema: 'tid_d09275dbcf',
        outcome: 'provisioned',
        applied: [NOTES, TAGS],
        durationMs: anyNumber,
      },
    ],
  });
  expect(await run('tenant', 'provision', 'org_a')).toMatchObject({
    tenants: [{ clerkOrgId: 'org_a', outcome: 'already-active', applied: [] }],
  });
  expect(await run('tenant', 'list')).toEqual({
    command: 'tenant list',
    ok: true,
    tenants: [
      {
        clerkOrgId: 'org_a',
        schema: 'tid_d09275dbcf',
        status: 'ACTIVE',
        createdAt: anyDate,
        updatedAt: anyDate,
      },
    ],
  });
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));
  expect(await run('status')).toEqual({
    command: 'status',
    ok: true,
    master: { applied: [INIT], pending: [] },
    tenants: {
      total: 1,
      byStatus: { ACTIVE: 1 },
      upToDate: 0,
      behind: 1,
      failed: 0,
      notActive: 0,
      broken: 0,
    },
    versions: [{ version: TAGS, tenants: 1, pending: 1 }],
    attention: [
      {
        clerkOrgId: 'org_a',
        schema: 'tid_d09275dbcf',
        status: 'ACTIVE',
        class: 'behind',
        code: 'BEHIND',
        problem: '1 migration behind, from 20250101000003_links.sql',
        applied: [NOTES, TAGS],
        pending: ['20250101000003_links.sql'],
      },
    ],
  });
  expect(await run('migrate', 'tenants', '--dry-run')).toMatchObject({
    command: 'migrate tenants',
    ok: true,
    dryRun: true,
    plans: [
      {
        scope: 'tenants',
        targets: [{ clerkOrgId: 'org_a', schema: 'tid_d09275dbcf' }],
        shownOn: 'tid_d09275dbcf',
        migrations: [
          {
            name: '20250101000003_links.sql',
            transaction: true,
            statements: ['CREATE TABLE links (id int PRIMARY KEY);'],
          },
        ],
      },
    ],
  });
  expect(await run('migrate', 'tenants')).toEqual({
    command: 'migrate tenants',
    ok: true,
    run: anyNumber,
    totals: { selected: 1, upToDate: 0, migrated: 1, failed: 0, skipped: 0 },
    fleet: { total: 1, upToDate: 1, behind: 0, failed: 0, notActive: 0, broken: 0 },
    shared: false,
    interrupted: false,
    durationMs: anyNumber,
    notActive: {},
    tenants: [
      {
        clerkOrgId: 'org_a',
        schema: 'tid_d09275dbcf',
        outcome: 'migrated',
        applied: ['20250101000003_links.sql'],
        batch: 2,
        durationMs: anyNumber,
      },
    ],
  });
  // Tenants that were up to date are counted, and listed with --all only.
  expect(await run('migrate', 'tenants')).toMatchObject({
    totals: { selected: 1, upToDate: 1 },
    fleet: { total: 1, upToDate: 1, behind: 0, failed: 0, notActive: 0, broken: 0 },
    tenants: [],
  });
  expect(await run('migrate', 'all', '--all')).toMatchObject({
    command: 'migrate all',
    master: { applied: [] },
    totals: { upToDate: 1 },
    tenants: [{ clerkOrgId: 'org_a', outcome: 'up-to-date', applied: [] }],
  });
  expect(await run('tenant', 'show', 'org_a')).toMatchObject({
    command: 'tenant show',
    ok: true,
    tenant: {
      clerkOrgId: 'org_a',
      schema: 'tid_d09275dbcf',
      status: 'ACTIVE',
      applied: [NOTES, TAGS, '20250101000003_links.sql'],
      pending: [],
    },
  });
  expect(await run('rollback', 'tenants')).toMatchObject({
    command: 'rollback tenants',
    ok: true,
    totals: { selected: 1, upToDate: 0, rolledBack: 1, failed: 0, skipped: 0 },
    interrupted: false,
    tenants: [
      { clerkOrgId: 'org_a', outcome: 'rolled-back', reverted: ['20250101000003_links.sql'], batch: 2 },
    ],
  });
  await project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  expect(await run('migrate', 'master')).toMatchObject({ applied: ['20250101000009_more.sql'], batch: 2 });
  expect(await run('rollback', 'master', '--yes')).toEqual({
    command: 'rollback master',
    ok: true,
    run: anyNumber,
    reverted: ['20250101000009_more.sql'],
    batch: 2,
    durationMs: anyNumber,
  });
  expect(await run('make', 'tenant', 'settings', '--quiet')).toEqual({
    command: 'make tenant',
    ok: true,
    path: expect.stringMatching(/^migrations\/tenants\/\d{14}_settings\.sql$/),
    format: 'sql',
    note: expect.any(String),
  });
  expect(await run('init')).toMatchObject({
    command: 'init',
    ok: true,
    created: expect.any(Array),
    kept: expect.any(Array),
  });
});

test('a failure within a migration is reported with tenant, migration and statement, and other tenants are migrated', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query('CREATE TABLE tid_d09275dbcf.links ()');
  await fleet.add('20250101000003_before.sql', createTable('before'));
  await fleet.add('20250101000004_links.sql', createTable('links'));

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  const error = {
    code: 'MIGRATION_FAILED',
    message: 'relation "links" already exists',
    sqlstate: '42P07',
    tenant: 'org_a',
    migration: '20250101000004_links.sql',
    statement: 'CREATE TABLE links (id int PRIMARY KEY)',
  };
  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    ok: false,
    error,
    totals: { selected: 2, upToDate: 0, migrated: 1, failed: 1, skipped: 0 },
    tenants: expect.arrayContaining([
      expect.objectContaining({
        clerkOrgId: 'org_a',
        outcome: 'failed',
        applied: [],
        error: expect.objectContaining(error),
      }),
      expect.objectContaining({ clerkOrgId: 'org_b', outcome: 'migrated' }),
    ]),
  });
  expect(await fleet.tables('org_a')).not.toContain('before');
});

test('several organizations are provisioned in one call, and one failure does not affect the others', async () => {
  const fleet = await createFleet([]);

  const result = await tenantctl(
    ['tenant', 'provision', 'org_a', '\u0007bell', 'x'.repeat(256), 'org_a', '--json'],
    {
      cwd: fleet.project.folder,
      env: fleet.testDatabase.env,
    },
  );

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    ok: false,
    error: { code: 'TENANTS_FAILED', message: '2 of 3 tenants failed.' },
    tenants: [
      { clerkOrgId: 'org_a', outcome: 'provisioned' },
      {
        outcome: 'failed',
        error: { code: 'ORGANIZATION_ID_INVALID', message: expect.stringContaining('control character') },
      },
      {
        outcome: 'failed',
        error: { code: 'ORGANIZATION_ID_INVALID', message: expect.stringContaining('256 characters') },
      },
    ],
  });
  expect(await fleet.query('SELECT clerk_org_id FROM tenants')).toEqual([{ clerk_org_id: 'org_a' }]);
});

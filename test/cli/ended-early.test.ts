import { expect, test } from 'vitest';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';
import { knexMigration } from '../support/project.ts';

test('a migration that calls process.exit does not look like success', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('20250101000003_exit.js', knexMigration('process.exit(0);'));

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({ command: 'migrate tenants', ok: false, error: { code: 'INTERNAL' } });
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a migration that never ends fails when its connection is lost, and the error names it', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '20250101000003_waits.js',
    knexMigration("await knex.raw('SELECT 1 AS waits'); await new Promise(() => {});"),
  );

  const run = startCli(['migrate', 'tenants', '--json', '--retries', '0'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  await until(async () => {
    const rows = await fleet.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE '%AS waits' AND state = 'idle in transaction'`,
    );
    return rows.length > 0;
  }, 'the migration to be at work');
  const result = await run.done;

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    totals: { failed: 1 },
    error: { tenant: 'org_a', migration: '20250101000003_waits.js' },
  });
});

test('a registry row with a NULL affects only its own tenant', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query('ALTER TABLE tenants ALTER schema_name DROP NOT NULL, ALTER clerk_org_id DROP NOT NULL');
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_null', NULL, 'ACTIVE')`,
  );
  await fleet.project.write(
    'migrations/tenants/20250101000003_links.sql',
    '-- migrate:up\nCREATE TABLE links (id int);\n',
  );
  const run = (...args: string[]) =>
    tenantctl(args, { cwd: fleet.project.folder, env: fleet.testDatabase.env });

  const migrated = await run('migrate', 'tenants', '--json');
  expect(migrated.json()).toMatchObject({
    totals: { migrated: 1, failed: 1 },
    error: { code: 'SCHEMA_MISSING', tenant: 'org_null' },
  });
  for (const args of [['status'], ['tenant', 'list'], ['doctor']]) {
    const { stdout, stderr } = await run(...args);
    expect(stdout).toContain('org_null');
    expect(stderr).not.toContain('    at ');
  }
});

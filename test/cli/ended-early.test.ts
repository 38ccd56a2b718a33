import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';
import { knexMigration } from '../support/project.ts';

test('what ends the process, or escapes from a promise or a callback, is an error of its migration', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const later = `await new Promise((done) => setTimeout(done, 200));`;
  const forms = {
    'process.exit(0) was called, which would end the whole run.': 'process.exit(0);',
    'process.exit(1) was called, which would end the whole run.': `await knex.raw('SELECT 1').then(() => { try { process.exit(1); } catch {} });`,
    'process.exit() was called, which would end the whole run.': `setTimeout(() => process.exit(), 10); ${later}`,
    'thrown in a callback': `setTimeout(() => { throw new Error('thrown in a callback'); }, 10); ${later}`,
    'rejected and not awaited': `Promise.reject(new Error('rejected and not awaited'));`,
    'column "nope" of relation "notes" does not exist': `knex('notes').insert({ nope: 1 }).then(() => {});`,
  };
  for (const [message, body] of Object.entries(forms)) {
    await fleet.add('20250101000003_exit.js', knexMigration(body));
    const result = await tenantctl(['migrate', 'tenants', '--json'], {
      cwd: fleet.project.folder,
      env: fleet.testDatabase.env,
    });
    expect(result.exitCode).toBe(1);
    const error = { code: 'MIGRATION_FAILED', message, migration: '20250101000003_exit.js' };
    expect(result.json()).toMatchObject({ totals: { failed: 2 }, tenants: [{ error }, { error }] });
  }
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a process that ends outside a migration has one document, and keeps its exit code', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '20250101000003_exit.js',
    `import { exit } from 'node:process'; setTimeout(exit, 0, 3); await new Promise(() => {}); export const up = () => {};`,
  );

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  expect(result.exitCode).toBe(3);
  expect(result.json()).toMatchObject({ command: 'migrate tenants', ok: false, error: { code: 'INTERNAL' } });
});

test('a statement that comes after its migration was recorded ends the run with an error', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '20250101000003_late.js',
    knexMigration(
      `await knex.raw('SELECT 1'); setTimeout(() => knex('notes').insert({ id: 1 }).then(() => {}), 300);`,
    ),
  );
  await fleet.add(
    '20250101000004_slow.js',
    knexMigration('', '', 'export const config = { transaction: false };').replace(
      '{',
      `{ await knex.raw('SELECT pg_sleep(1)');`,
    ),
  );

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    error: { code: 'MIGRATION_FAILED', migration: '20250101000003_late.js' },
  });
  expect(await fleet.query(`SELECT * FROM ${schemaNameFor('org_a')}.notes`)).toEqual([]);
});

test('a migration that never ends fails when its connection is lost, and the error says that it was', async () => {
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
    error: {
      tenant: 'org_a',
      code: 'DATABASE_ERROR',
      message: expect.stringMatching(/connection.* was lost/),
    },
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

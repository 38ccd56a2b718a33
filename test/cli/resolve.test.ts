import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';
import { holdLock } from '../support/hold-lock.ts';
import { createTable } from '../support/project.ts';
import { intentOf } from '../support/remember.ts';

const ORG = "o'rg 1";
const SCHEMA = schemaNameFor(ORG);
const OUTSIDE = `-- migrate:up transaction:false
CREATE TABLE outside_it ();
${WAIT_AT_GATE}
-- migrate:down transaction:false
DROP TABLE outside_it;
${WAIT_AT_GATE}
`;

interface Entry {
  readonly clerkOrgId: string;
  readonly code: string;
  readonly problem: string;
  readonly interrupted?: { readonly migration: string; readonly applied: string; readonly retry: string };
}

const run = (fleet: TestFleet, ...args: string[]) =>
  tenantctl([...args, '--json'], { cwd: fleet.project.folder, env: fleet.testDatabase.env });

/** Kills a command between the deed of 4_outside.sql and its record: somebody else holds the history's table there. */
async function killedBeforeRecord(fleet: TestFleet, ...command: string[]): Promise<void> {
  const gate = await closeGate(fleet.testDatabase);
  const child = startCli([...command, '--json', '--lock-timeout', '60000'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await gate.reached();
  const holder = new Client({ connectionString: fleet.testDatabase.url });
  await holder.connect();
  await holder.query(`BEGIN; LOCK TABLE ${SCHEMA}.knex_migrations_tenant IN SHARE MODE`);
  await gate.open();
  await until(async () => {
    const rows = await fleet.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ 'knex_migrations_tenant'`,
    );
    return rows.length > 0;
  }, 'the record to wait');
  child.kill('SIGKILL');
  await child.done;
  await vi.waitUntil(
    async () =>
      (
        await fleet.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tenantctl%' AND state <> 'idle'`,
        )
      ).length === 0,
    { timeout: 20_000 },
  );
  await holder.end();
}

async function outsideFleet(): Promise<TestFleet> {
  const fleet = await createFleet([ORG]);
  await fleet.add('3_before.sql', createTable('before_it'));
  await fleet.add('4_outside.sql', OUTSIDE);
  await fleet.add('5_after.sql', createTable('after_it'));
  return fleet;
}

test('after a kill between migration and record, status and the next run show both answers, and --applied records the migration', async () => {
  const fleet = await outsideFleet();
  await killedBeforeRecord(fleet, 'migrate', 'tenants');
  expect(await fleet.history(ORG)).toHaveLength(3);

  const status = await run(fleet, 'status');
  const [entry] = status.json<{ attention: Entry[] }>().attention;
  expect(entry).toMatchObject({
    code: 'INTERRUPTED',
    interrupted: {
      migration: '4_outside.sql',
      applied: `tenantctl resolve 'o'\\''rg 1' --applied`,
      retry: `tenantctl resolve 'o'\\''rg 1' --retry`,
    },
  });
  const shown = await tenantctl(['tenant', 'show', ORG], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  expect(shown.stdout).toContain(`tenantctl resolve 'o'\\''rg 1' --retry`);
  const next = await run(fleet, 'migrate', 'tenants');
  expect(next.exitCode).toBe(1);
  const { error } = next.json<{ error: { code: string; hint: string } }>();
  expect(error.code).toBe('MIGRATION_INTERRUPTED');
  expect(error.hint).toContain(entry?.interrupted?.applied);

  const resolved = await run(fleet, 'resolve', ORG, '--applied');
  expect(resolved.exitCode).toBe(0);
  expect(resolved.json()).toMatchObject({
    command: 'resolve',
    ok: true,
    resolved: {
      clerkOrgId: ORG,
      schema: SCHEMA,
      migration: '4_outside.sql',
      direction: 'up',
      answer: 'applied',
      recorded: true,
      batch: 2,
      invalidIndexes: [],
    },
  });
  expect((await fleet.history(ORG)).slice(2)).toEqual(['3_before.sql@2', '4_outside.sql@2']);
  // The row has a stamp, and the run that was killed can be undone with it.
  expect(await fleet.query('SELECT schema_name FROM tenantctl.trusted_stamps')).toHaveLength(1);
  expect(
    await fleet.query(`SELECT run, names FROM tenantctl.run_tenants WHERE names = '{4_outside.sql}'`),
  ).toEqual([{ run: expect.any(String) as string, names: ['4_outside.sql'] }]);
  expect((await run(fleet, 'status')).json<{ attention: Entry[] }>().attention[0]?.code).toBe('BEHIND');

  const after = await run(fleet, 'migrate', 'tenants');
  expect(after.json()).toMatchObject({ totals: { migrated: 1, failed: 0 } });
  expect(await fleet.tables(ORG)).toEqual(['after_it', 'before_it', 'notes', 'outside_it', 'tags']);
}, 90_000);

test('--retry removes only the intent, and the next run starts the migration again', async () => {
  const fleet = await outsideFleet();
  await killedBeforeRecord(fleet, 'migrate', 'tenants');
  await fleet.query(`DROP TABLE ${SCHEMA}.outside_it`);
  const resolved = await run(fleet, 'resolve', SCHEMA, '--retry');
  expect(resolved.json()).toMatchObject({
    ok: true,
    resolved: { clerkOrgId: ORG, answer: 'retry', recorded: false, batch: 0 },
  });
  expect(await fleet.history(ORG)).toHaveLength(3);
  expect((await run(fleet, 'migrate', 'tenants')).json()).toMatchObject({ totals: { migrated: 1 } });
  expect(await fleet.tables(ORG)).toContain('outside_it');
  expect((await run(fleet, 'resolve', ORG, '--retry')).json()).toMatchObject({
    ok: false,
    error: { code: 'NOTHING_TO_RESOLVE' },
  });
}, 90_000);

test('a rollback that was killed before its record can be resolved: its history row is removed', async () => {
  const fleet = await outsideFleet();
  await fleet.project.remove('migrations/tenants/5_after.sql');
  expect((await run(fleet, 'migrate', 'tenants')).exitCode).toBe(0);
  await killedBeforeRecord(fleet, 'rollback', 'tenants');
  expect(await fleet.history(ORG)).toContain('4_outside.sql@2');

  const resolved = await run(fleet, 'resolve', ORG, '--applied');
  expect(resolved.json()).toMatchObject({ resolved: { direction: 'down', recorded: true } });
  expect(await fleet.history(ORG)).toEqual([
    '20250101000001_notes.sql@1',
    '20250101000002_tags.sql@1',
    '3_before.sql@2',
  ]);
}, 90_000);

test('resolve is refused while a run, or the statement of the killed one, still works', async () => {
  const fleet = await outsideFleet();
  await fleet.query(intentOf(SCHEMA, '4_outside.sql'));
  const lock = await holdLock(fleet.testDatabase, `tenant:${SCHEMA}`);
  const busy = await run(fleet, 'resolve', ORG, '--applied');
  expect(busy.exitCode).toBe(5);
  expect(busy.json()).toMatchObject({ error: { code: 'RUN_AT_WORK', tenant: ORG } });
  await lock.release();

  const backend = new Client({ connectionString: fleet.testDatabase.url });
  await backend.connect();
  await backend.query(
    `UPDATE tenantctl.intents SET backend_pid = pg_backend_pid(), backend_start = (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid()))`,
  );
  const still = await run(fleet, 'resolve', ORG, '--retry');
  expect(still.exitCode).toBe(5);
  expect(still.json<{ error: { hint: string } }>().error.hint).toContain('pg_terminate_backend');
  await backend.end();
  await until(
    async () =>
      (await fleet.query('SELECT pg_stat_get_activity(backend_pid) FROM tenantctl.intents')).length === 0,
    'the backend to be gone',
  );
  expect((await run(fleet, 'resolve', ORG, '--retry')).exitCode).toBe(0);
  expect(await fleet.history(ORG)).toHaveLength(2);
}, 60_000);

test('the master schema is resolved as master; a call without an answer is refused', async () => {
  const fleet = await outsideFleet();
  await fleet.project.write(
    'migrations/master/20250101000009_outside.sql',
    '-- migrate:up transaction:false\nCREATE TABLE shared_it ();',
  );
  await fleet.query(intentOf('public', '20250101000009_outside.sql'));
  const status = (await run(fleet, 'status')).json<{ master: { problem: string; interrupted: Entry } }>();
  expect(status.master.interrupted).toMatchObject({ applied: 'tenantctl resolve master --applied' });

  for (const flags of [[], ['--applied', '--retry']]) {
    const usage = await run(fleet, 'resolve', 'master', ...flags);
    expect(usage.exitCode).toBe(2);
    expect(usage.json()).toMatchObject({ error: { code: 'USAGE' } });
  }
  expect((await run(fleet, 'resolve', 'nobody', '--retry')).json()).toMatchObject({
    error: { code: 'TENANT_UNKNOWN' },
  });
  const resolved = await run(fleet, 'resolve', 'master', '--applied');
  expect(resolved.json()).toMatchObject({ resolved: { schema: 'public', recorded: true, batch: 2 } });
  expect((await run(fleet, 'migrate', 'master')).json()).toMatchObject({ ok: true, applied: [] });
}, 60_000);

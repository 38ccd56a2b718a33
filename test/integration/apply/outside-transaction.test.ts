import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE, WAITING_AT_GATE } from '../../support/gate.ts';
import { createTable, knexMigration, usualProject } from '../../support/project.ts';
import { intentOf } from '../../support/remember.ts';

const SCHEMA = schemaNameFor('org_a');
const OUTSIDE = 'export const config = { transaction: false };';
const INDEXES = `-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY notes_a ON notes (id); -- one; two
CREATE INDEX CONCURRENTLY notes_b ON notes ((id + 1));
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY notes_a;
DROP INDEX CONCURRENTLY notes_b;
`;

const indexes = `SELECT indexname AS name FROM pg_indexes WHERE schemaname = '${SCHEMA}' AND indexname LIKE 'notes_%' ORDER BY 1`;

test('each statement of an .sql file runs on its own, between the migrations before and after it', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add('3_before.sql', createTable('before_it'));
  await fleet.add('4_indexes.sql', INDEXES);
  await fleet.add('5_after.sql', createTable('after_it'));
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 3, failed: 0 });
  expect(resultOf(result, 'org_a')).toMatchObject({
    names: ['3_before.sql', '4_indexes.sql', '5_after.sql'],
    batch: 2,
  });
  expect(await fleet.history('org_a')).toContain('4_indexes.sql@2');
  expect(await fleet.history('org_a')).toContain('5_after.sql@2');
  expect(await fleet.query(indexes)).toHaveLength(3);
  expect(await fleet.query('SELECT * FROM tenantctl.intents')).toEqual([]);

  const back = await fleet.rollback();
  expect(resultOf(back, 'org_c').names).toEqual(['5_after.sql', '4_indexes.sql', '3_before.sql']);
  expect(await fleet.query(indexes)).toEqual([{ name: 'notes_pkey' }]);
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('several of them in a row run under one lock, and one that fails leaves those before it recorded', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const holders = `SELECT a.pid, a.xact_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'
    AND a.datname = current_database() AND a.application_name = 'tenantctl' AND a.state = 'idle in transaction'`;
  await fleet.add('3_first.sql', `-- migrate:up transaction:false\nCREATE TABLE held AS ${holders};`);
  await fleet.add(
    '4_second.sql',
    `-- migrate:up transaction:false\nSELECT 1 / count(*) FROM (SELECT * FROM held INTERSECT ${holders}) same;`,
  );
  await fleet.add('5_third.sql', `-- migrate:up transaction:false\nALTER TABLE missing ADD id int;`);
  const failed = resultOf(await fleet.migrate({ tenants: ['org_a'] }), 'org_a');
  expect(failed).toMatchObject({
    outcome: 'failed',
    names: ['3_first.sql', '4_second.sql'],
    error: { migration: '5_third.sql', sqlstate: '42P01' },
  });
  expect(await fleet.history('org_a')).toHaveLength(4);
  expect(await fleet.query('SELECT * FROM tenantctl.intents')).toEqual([]);

  await fleet.add('5_third.sql', `-- migrate:up transaction:false\nALTER TABLE notes ADD more int;`);
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_a').names).toEqual(['5_third.sql']);
  expect(resultOf(result, 'org_b').names).toEqual(['3_first.sql', '4_second.sql', '5_third.sql']);
});

test('a Knex migration outside a transaction has its schema, its parameters and bindings', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(
    '3_index.js',
    knexMigration(
      `await knex.raw('CREATE INDEX CONCURRENTLY notes_a ON notes (id)');
       await knex('notes').insert({ id: 7 });
       await knex.raw('COMMENT ON TABLE notes IS ' + "'" + knex.userParams.clerkOrgId + "'");
       await knex.transaction(async (inner) => { await inner('notes').insert({ id: 8 }); });`,
      `await knex.raw('DROP INDEX CONCURRENTLY notes_a');`,
      OUTSIDE,
    ),
  );
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2 });
  expect(
    await fleet.query(`SELECT id, obj_description('${SCHEMA}.notes'::regclass) AS c FROM ${SCHEMA}.notes`),
  ).toEqual([
    { id: 7, c: 'org_a' },
    { id: 8, c: 'org_a' },
  ]);
  expect((await fleet.rollback()).totals).toMatchObject({ changed: 2 });
});

test('the connection goes back to the pool as it came: the next tenant sees nothing of it', async () => {
  const fleet = await createFleet(['org_a', 'org_b'], { maxConnections: 3 });
  await fleet.add(
    '3_set.sql',
    `-- migrate:up transaction:false\nSET statement_timeout = '1h';\nCREATE TEMP TABLE left_over ();\nSELECT pg_advisory_lock(1);`,
  );
  await fleet.migrate();
  const { rows } = await fleet.database.query(
    `SELECT current_setting('statement_timeout') AS t, to_regclass('pg_temp.left_over') AS l,
            (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks`,
  );
  expect(rows).toEqual([{ t: '0', l: null, locks: 0 }]);
});

test('it is the first thing that a new tenant gets: provisioning works, and a failure leaves no schema', async () => {
  const project = await usualProject({
    'migrations/tenants/0_outside.sql':
      '-- migrate:up transaction:false\nCREATE TABLE first (id int);\nCREATE INDEX CONCURRENTLY ON first (id);',
  });
  const fleet = await createFleet(['org_a'], { project });
  expect(await fleet.tables('org_a')).toEqual(['first', 'notes', 'tags']);
  expect(await fleet.history('org_a')).toHaveLength(3);

  await fleet.add('1_fails.sql', '-- migrate:up transaction:false\nCREATE TABLE second ();\nSELECT 1/0;');
  const [failed] = await fleet.provision('org_b');
  expect(failed).toMatchObject({ outcome: 'failed', error: { migration: '1_fails.sql', sqlstate: '22012' } });
  expect(await fleet.query('SELECT status FROM tenants WHERE clerk_org_id = $1', ['org_b'])).toEqual([
    { status: 'FAILED' },
  ]);
  expect(await fleet.query('SELECT FROM pg_namespace WHERE nspname = $1', [schemaNameFor('org_b')])).toEqual(
    [],
  );
  await fleet.project.remove('migrations/tenants/1_fails.sql');
  expect((await fleet.provision('org_b'))[0]?.outcome).toBe('provisioned');
});

test('a failure is known for what it is: no intent remains, and what was done is said to remain', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_half.sql',
    '-- migrate:up transaction:false\nCREATE TABLE half ();\nCREATE TABLE half ();',
  );
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({
    sqlstate: '42P07',
    migration: '3_half.sql',
    statement: 'CREATE TABLE half ()',
  });
  expect(error?.hint).toContain('remains');
  expect(await fleet.tables('org_a')).toContain('half');
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect(await fleet.query('SELECT * FROM tenantctl.intents')).toEqual([]);
});

test('a crash in its middle is seen by status and by the next run, which does nothing to that tenant', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_outside.sql', '-- migrate:up transaction:false\nCREATE TABLE outside_it ();');
  await fleet.query(intentOf(SCHEMA, '3_outside.sql'));

  const states = (await fleet.status()).states.map((state) => state.attention?.code);
  expect(states).toEqual(['INTERRUPTED', 'BEHIND']);
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_b').outcome).toBe('migrated');
  expect(resultOf(result, 'org_a').error).toMatchObject({
    code: 'MIGRATION_INTERRUPTED',
    migration: '3_outside.sql',
  });
  expect(await fleet.tables('org_a')).not.toContain('outside_it');
});

test('a backend that is terminated in its middle leaves the intent, which tells', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_outside.sql',
    `-- migrate:up transaction:false\nCREATE TABLE outside_it ();\n${WAIT_AT_GATE}\nCREATE TABLE never ();`,
  );
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate();
  await gate.reached();
  await fleet.query(`SELECT pg_terminate_backend(pid) FROM ${WAITING_AT_GATE}`);
  expect(resultOf(await run, 'org_a').outcome).toBe('failed');
  expect(await fleet.history('org_a')).toHaveLength(2);
  expect(resultOf(await fleet.migrate(), 'org_a').error).toMatchObject({ code: 'MIGRATION_INTERRUPTED' });
  expect((await fleet.status()).states[0]?.attention?.code).toBe('INTERRUPTED');
});

test('where the connection that holds the lock is lost, the work is stopped, and the intent tells', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(
    '3_outside.js',
    knexMigration(
      `await knex.raw('CREATE TABLE outside_it ()');
       await knex.raw('SELECT pg_sleep(120)').catch(() => {});
       await knex.raw('CREATE TABLE never ()');`,
      '',
      OUTSIDE,
    ),
  );
  const run = fleet.migrate({ tenants: ['org_a'] });
  await until(async () => {
    const rows = await fleet.query(
      `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'advisory' AND a.datname = current_database() AND a.state = 'idle in transaction' AND a.application_name = 'tenantctl'
         AND EXISTS (SELECT FROM pg_stat_activity b WHERE b.datname = current_database() AND b.query ~ 'pg_sleep' AND b.pid <> pg_backend_pid())`,
    );
    return rows.length > 0;
  }, 'the lock’s connection');
  const { error } = resultOf(await run, 'org_a');
  expect(error).toMatchObject({ code: 'MIGRATION_INTERRUPTED', migration: '3_outside.js' });
  expect(error?.message).toContain('was lost');
  expect(error?.hint).toContain('tenantctl resolve org_a --retry');
  await until(
    async () =>
      (
        await fleet.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'pg_sleep' AND pid <> pg_backend_pid()`,
        )
      ).length === 0,
    'the statement to end',
  );
  expect(await fleet.tables('org_a')).not.toContain('never');
  expect(await fleet.query('SELECT migration FROM tenantctl.intents')).toEqual([
    { migration: '3_outside.js' },
  ]);
});

test('what has been resolved by hand in the meantime is not recorded on top of that', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_outside.sql',
    `-- migrate:up transaction:false\nCREATE TABLE outside_it ();\n${WAIT_AT_GATE}`,
  );
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ lockTimeoutMs: 30_000 });
  await gate.reached();
  await fleet.query('DELETE FROM tenantctl.intents');
  await gate.open();
  const { error } = resultOf(await run, 'org_a');
  expect(error).toMatchObject({ code: 'MIGRATION_INTERRUPTED' });
  expect(error?.message).toContain('could not be recorded');
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a backend that is terminated in a migration within a transaction leaves nothing, and the next run does it all', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_inside.sql', `-- migrate:up\nCREATE TABLE inside_it ();\n${WAIT_AT_GATE}`);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ retries: 0 });
  await gate.reached();
  await fleet.query(`SELECT pg_terminate_backend(pid) FROM ${WAITING_AT_GATE}`);
  expect(resultOf(await run, 'org_a')).toMatchObject({
    outcome: 'failed',
    error: { code: 'DATABASE_ERROR', message: expect.stringContaining('connection to the server was lost') },
  });
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  await gate.open();
  expect(resultOf(await fleet.migrate(), 'org_a').outcome).toBe('migrated');
});

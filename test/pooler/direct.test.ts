import { describe, expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase } from '../support/database.ts';
import { fleetOn, resultOf } from '../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createPooledFleet, openPooled } from '../support/pooled-fleet.ts';
import { createTable, usualProject } from '../support/project.ts';
import { refusalOf } from '../support/refusal.ts';
import { examine, line, remedyOf } from '../integration/doctor/examine.ts';
import type { ServerSettings } from '../../src/db/database.ts';

const THREE = ['org_a', 'org_b', 'org_c'];
const LINKS = '20250101000003_links.sql';
const INDEX = '20250101000004_index.sql';
const OUTSIDE = `-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY notes_again ON notes (id);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY notes_again;
`;

const indexed = `SELECT schemaname AS schema FROM pg_indexes WHERE indexname = 'notes_again' ORDER BY 1`;

/** Settings as a way past a pooler. */
function past(settings: ServerSettings): Omit<ServerSettings, 'kind' | 'direct'> {
  const { host, port, user, password, database, ssl, connectTimeoutMs } = settings;
  return { host, port, user, ...(password !== undefined && { password }), database, ssl, connectTimeoutMs };
}

describe('what needs a session, behind PgBouncer', () => {
  test('is refused before anything is done, with DB_DIRECT_URL as the remedy', async () => {
    const fleet = await createPooledFleet(THREE);
    await fleet.add(LINKS, createTable('links'));
    await fleet.add(INDEX, OUTSIDE);
    const refusals = [await refusalOf(fleet.migrate()), await refusalOf(fleet.provision('org_new'))];
    for (const error of refusals) {
      expect(error).toMatchObject({ code: 'POOLER_UNSUPPORTED', migration: INDEX });
      expect(error.hint).toContain('DB_DIRECT_URL');
    }
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
    expect(await fleet.query(`SELECT FROM tenants WHERE clerk_org_id = 'org_new'`)).toEqual([]);

    // What comes before it can be had.
    expect((await fleet.migrate({ to: LINKS })).totals).toMatchObject({ changed: 3, failed: 0 });
    await fleet.project.write(
      'migrations/master/20250101000009_x.sql',
      OUTSIDE.replaceAll('notes', 'tenants'),
    );
    const { code } = await refusalOf(migrateMaster(fleet.database, { folder: fleet.project.master }));
    expect(code).toBe('POOLER_UNSUPPORTED');
  });

  test.for([1, 2])('works by way of DB_DIRECT_URL, with %i connections of the pooler', async (size) => {
    const fleet = await createPooledFleet(THREE, { size, direct: true });
    await fleet.add(LINKS, createTable('links'));
    await fleet.add(INDEX, OUTSIDE);
    expect((await fleet.migrate({ concurrency: 3 })).totals).toMatchObject({ changed: 3, failed: 0 });
    expect(await fleet.query(indexed)).toEqual(
      THREE.map((id) => ({ schema: schemaNameFor(id) })).toSorted((a, b) => (a.schema < b.schema ? -1 : 1)),
    );
    expect((await fleet.provision('org_new'))[0]).toMatchObject({ outcome: 'provisioned' });
    expect((await fleet.rollback({ extent: { to: LINKS } })).totals).toMatchObject({ changed: 4, failed: 0 });
    expect(await fleet.query(indexed)).toEqual([]);
    expect(await fleet.query('SELECT FROM tenantctl.intents')).toEqual([]);
  });

  test('a run that would wait for a second connection for ever is refused in time, and leaves nothing', async () => {
    const project = await usualProject();
    const testDatabase = await createDatabase();
    await migrateMaster(await testDatabase.open(), { folder: project.master });
    const pooler = await startPgBouncer(testDatabase, { size: 1 });
    const database = await openPooled({ ...pooler.settings, connectTimeoutMs: 500 });
    const fleet = fleetOn(testDatabase, database, project);
    const error = await refusalOf(fleet.provision('org_a'));
    expect(error.code).toBe('POOLER_EXHAUSTED');
    expect(error.hint).toContain('DB_DIRECT_URL');
    expect(await fleet.query('SELECT FROM tenants')).toEqual([]);
    // What only reads has no need of one.
    expect((await fleet.status()).tenants.total).toBe(0);

    const past1 = fleetOn(
      testDatabase,
      await openPooled({ ...pooler.settings, direct: past(testDatabase.settings) }),
      project,
    );
    expect((await past1.provision(...THREE)).map(({ outcome }) => outcome)).toEqual(
      THREE.map(() => 'provisioned'),
    );
  });

  test('the first master migration of an empty database is refused in time, too', async () => {
    const project = await usualProject();
    const testDatabase = await createDatabase();
    const pooler = await startPgBouncer(testDatabase, { size: 1 });
    const database = await openPooled({ ...pooler.settings, connectTimeoutMs: 500 });
    const error = await refusalOf(migrateMaster(database, { folder: project.master, retries: 0 }));
    expect(error.code).toBe('POOLER_EXHAUSTED');
    expect(await testDatabase.query(`SELECT FROM pg_namespace WHERE nspname = 'tenantctl'`)).toEqual([]);
  });

  test.for([
    {
      how: 'is told with the remedy where the pooler has none to spare',
      direct: false,
      expected: {
        error: { code: 'POOLER_EXHAUSTED', hint: expect.stringMatching(/default_pool_size.*DB_DIRECT_URL/) },
      },
      tables: ['notes', 'tags'],
    },
    {
      how: 'goes by way of DB_DIRECT_URL',
      direct: true,
      expected: { outcome: 'migrated' },
      tables: ['links', 'notes', 'tags'],
    },
  ])('what the guard asks on a third connection $how', async ({ direct, expected, tables }) => {
    const fleet = await createPooledFleet(['org_a'], { size: 2, direct });
    await fleet.query('CREATE TABLE public.countries (code text PRIMARY KEY)');
    await fleet.add(LINKS, createTable('links', 'country text REFERENCES public.countries'));
    expect((await fleet.migrate({ retries: 0 })).tenants[0]).toMatchObject(expected);
    expect(await fleet.tables('org_a')).toEqual(tables);
  });

  test('a run that finds all connections in use is refused in time; the one that uses them finishes', async () => {
    const fleet = await createPooledFleet(THREE, { size: 2 });
    await fleet.add(LINKS, createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`));
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate({ lockTimeoutMs: 0 });
    await gate.reached();
    const error = await refusalOf(openPooled({ ...fleet.pooler.settings, connectTimeoutMs: 800 }));
    expect(error.code).toBe('CONNECTION_FAILED');
    expect(error.hint).toContain('default_pool_size');
    await gate.open();
    expect((await run).totals).toMatchObject({ changed: 3, failed: 0 });
  });

  test('DB_DIRECT_URL has to lead to the same server, database and role', async () => {
    const fleet = await createPooledFleet(['org_a']);
    const elsewhere = await createDatabase();
    const other = elsewhere.settings.database.replace('test_', 'other_');
    await fleet.query(`CREATE ROLE ${other} LOGIN SUPERUSER`);
    onTestFinished(async () => void (await fleet.query(`DROP ROLE ${other}`)));
    await fleet.add(LINKS, createTable('links'));
    const refusalBy = async (direct: Omit<ServerSettings, 'kind' | 'direct'>) => {
      const database = await openPooled({ ...fleet.pooler.settings, direct });
      const attempt = fleetOn(fleet.testDatabase, database, fleet.project).migrate();
      return refusalOf(attempt);
    };
    const settings = past(fleet.testDatabase.settings);
    expect(await refusalBy(past(elsewhere.settings))).toMatchObject({
      code: 'DIRECT_URL_MISMATCH',
      message: expect.stringContaining(elsewhere.settings.database),
    });
    expect(await refusalBy({ ...settings, user: other })).toMatchObject({
      code: 'DIRECT_URL_MISMATCH',
      message: expect.stringContaining(`the role "${other}"`),
    });
    expect(await refusalBy({ ...settings, port: 1 })).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('By way of DB_DIRECT_URL'),
    });
    expect(await refusalBy(past(fleet.pooler.settings))).toMatchObject({
      code: 'DIRECT_URL_MISMATCH',
      message: expect.stringContaining('does not keep sessions'),
    });
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
    expect(await fleet.query(`SELECT FROM tenantctl.runs WHERE outcome IS NULL`)).toEqual([]);
  });

  test('it may lead to a pooler in session mode', async () => {
    const fleet = await createPooledFleet(THREE);
    const sessions = await startPgBouncer(fleet.testDatabase, { mode: 'session', size: 10 });
    const database = await openPooled({ ...fleet.pooler.settings, direct: past(sessions.settings) });
    const through = fleetOn(fleet.testDatabase, database, fleet.project);
    await fleet.add(INDEX, OUTSIDE);
    expect((await through.migrate()).totals).toMatchObject({ changed: 3, failed: 0 });
    expect(await fleet.query(indexed)).toHaveLength(3);
  });

  test('a pooler in session mode cannot be told from the others, and does as they do', async () => {
    const fleet = await createPooledFleet(THREE, { mode: 'session', size: 10 });
    expect(fleet.database.behindPooler).toBe(true);
    await fleet.add(LINKS, createTable('links'));
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 3, failed: 0 });
    await fleet.add(INDEX, OUTSIDE);
    expect((await refusalOf(fleet.migrate())).code).toBe('POOLER_UNSUPPORTED');
  });

  test('a pooler in statement mode is refused at once, with what to set', async () => {
    const testDatabase = await createDatabase();
    const pooler = await startPgBouncer(testDatabase, { mode: 'statement' });
    const error = await refusalOf(openDatabase(pooler.settings, { maxConnections: 2 }));
    expect(error).toMatchObject({ code: 'POOLER_UNSUPPORTED', sqlstate: '08P01' });
    expect(error.hint).toContain('pool_mode = transaction');
  });

  test('where there is no pooler, DB_DIRECT_URL is used all the same, and the doctor says where it leads', async () => {
    const project = await usualProject({ [`migrations/tenants/${INDEX}`]: OUTSIDE });
    const testDatabase = await createDatabase();
    const settings = { ...testDatabase.settings, direct: past(testDatabase.settings) };
    const fleet = fleetOn(testDatabase, await openPooled(settings), project);
    await migrateMaster(fleet.database, { folder: project.master });
    expect(await fleet.provision('org_a')).toMatchObject([{ outcome: 'provisioned' }]);
    expect(line(await examine(project, settings), 'direct-url')).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('the same database'),
    });
  });

  test('the doctor tells of the pooler, and what DB_DIRECT_URL would have to be', async () => {
    const fleet = await createPooledFleet(['org_a']);
    const alone = await examine(fleet.project, fleet.pooler.settings);
    expect(line(alone, 'pooler')).toMatchObject({ status: 'warning' });
    expect(remedyOf(line(alone, 'pooler'))).toContain('Set DB_DIRECT_URL=postgres://');
    expect(line(alone, 'direct-url')).toMatchObject({ status: 'skipped' });
    expect(line(alone, 'capacity')).toMatchObject({ status: 'ok', detail: expect.stringContaining('two') });
    expect(alone.totals.failed).toBe(0);

    const direct = past(fleet.testDatabase.settings);
    const both = await examine(fleet.project, { ...fleet.pooler.settings, direct });
    expect(line(both, 'pooler').status).toBe('ok');
    expect(line(both, 'direct-url').status).toBe('ok');
    const wrong = await examine(fleet.project, {
      ...fleet.pooler.settings,
      direct: past(fleet.pooler.settings),
    });
    expect(line(wrong, 'direct-url')).toMatchObject({ status: 'failed', code: 'DIRECT_URL_MISMATCH' });
  });

  test('a backend outside a transaction is cancelled by way of DB_DIRECT_URL', async () => {
    const fleet = await createPooledFleet(['org_a'], { direct: true });
    await fleet.add(INDEX, `-- migrate:up transaction:false\n${WAIT_AT_GATE}\n`);
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate();
    await gate.reached();
    await fleet.database.cancelWork();
    expect(resultOf(await run, 'org_a').error).toMatchObject({ sqlstate: '57014' });
  });
});

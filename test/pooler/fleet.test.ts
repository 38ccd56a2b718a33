import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { rehearseTenants } from '../../src/core/commands/rehearse.ts';
import { rollbackMaster } from '../../src/core/commands/rollback-master.ts';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { readRuns } from '../../src/core/ledger/read-runs.ts';
import { createDatabase } from '../support/database.ts';
import { fleetOn } from '../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { commonJs, KNEX_TABLE, originProject, plainKnex, provisionByKnex } from '../support/knex-project.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { createPooledFleet, openPooled } from '../support/pooled-fleet.ts';
import { createTable, knexMigration } from '../support/project.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';

const SIX = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e', 'org_f'];
const LINKS = '20250101000003_links.sql';

describe('behind PgBouncer in transaction mode', () => {
  test('a fleet is migrated and rolled back by more clients than the pooler has connections', async () => {
    const fleet = await createPooledFleet(SIX);
    expect(fleet.database.behindPooler).toBe(true);
    await fleet.add(LINKS, createTable('links'));

    expect((await fleet.migrate({ concurrency: 5 })).totals).toMatchObject({ changed: 6, failed: 0 });
    for (const organization of SIX) expect(await fleet.history(organization)).toContain(`${LINKS}@2`);
    expect((await fleet.migrate({ verify: true })).totals).toMatchObject({ upToDate: 6, changed: 0 });

    expect((await fleet.rollback({ concurrency: 5 })).totals).toMatchObject({ changed: 6, failed: 0 });
    for (const organization of SIX) expect(await fleet.tables(organization)).toEqual(['notes', 'tags']);
    expect((await fleet.status()).tenants).toMatchObject({ behind: 6 });
  });

  test.for([1, 'auto'] as const)('so it is with --concurrency %s', async (concurrency) => {
    const fleet = await createPooledFleet(SIX);
    await fleet.add(LINKS, createTable('links'));
    expect((await fleet.migrate({ concurrency })).totals).toMatchObject({ changed: 6, failed: 0 });
  });

  test('it is so where each tenant is gone through statement by statement', async () => {
    const fleet = await createPooledFleet(SIX);
    await fleet.add(
      '3_links.js',
      knexMigration(
        `await knex.schema.createTable('links', (table) => { table.increments('id'); table.string('url'); });
         const inserted = await knex('links').insert({ url: knex.userParams.clerkOrgId }).returning('id');
         if (!(await knex.schema.hasTable('notes'))) throw new Error('wrong schema');
         await Promise.all([1, 2, 3].map((n) => knex('links').insert({ url: String(inserted[0].id + n) })));
         await knex.transaction((inner) => inner('links').insert({ url: 'inner' }));`,
        `await knex.schema.dropTable('links');`,
      ),
    );
    expect((await fleet.migrate({ concurrency: 5 })).totals).toMatchObject({ changed: 6, failed: 0 });
    for (const organization of SIX) {
      const schema = schemaNameFor(organization);
      expect(await fleet.query(`SELECT url FROM ${schema}.links ORDER BY id LIMIT 1`)).toEqual([
        { url: organization },
      ]);
      expect(await fleet.query(`SELECT FROM ${schema}.links`)).toHaveLength(5);
    }
    expect((await fleet.rollback()).totals).toMatchObject({ changed: 6, failed: 0 });
  });

  test('canaries, waves and checks', async () => {
    const fleet = await createPooledFleet(SIX);
    await fleet.add(LINKS, createTable('links'));
    const result = await fleet.migrate({
      rollout: {
        canary: { count: 2 },
        wave: { count: 3 },
        check: { name: 'check.sql', query: 'SELECT count(*) = 0 FROM links' },
      },
    });
    expect(result.totals).toMatchObject({ changed: 6, failed: 0 });
    expect(result.rollout?.waves.map(({ checked }) => checked)).toEqual([2, 3, 1]);
  });

  test('a dry run shows what would be sent and changes nothing', async () => {
    const fleet = await createPooledFleet(['org_a']);
    await fleet.add(LINKS, createTable('links'));
    const { plans } = await rehearseTenants(fleet.database, { folder: fleet.project.tenants });
    expect(plans[0]?.migrations[0]?.statements.join()).toContain('CREATE TABLE links');
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  });

  test('a failing migration is rolled back whole, and the others go on', async () => {
    const fleet = await createPooledFleet(SIX);
    await fleet.query(`INSERT INTO ${schemaNameFor('org_d')}.notes VALUES (1)`);
    await fleet.add(
      LINKS,
      '-- migrate:up\nCREATE TABLE links ();\nALTER TABLE notes ADD CONSTRAINT few CHECK (id > 1);',
    );
    const result = await fleet.migrate({ concurrency: 5 });
    expect(result.totals).toMatchObject({ changed: 5, failed: 1 });
    expect(await fleet.tables('org_d')).toEqual(['notes', 'tags']);
    expect(result.tenants.find(({ outcome }) => outcome === 'failed')?.error).toMatchObject({
      sqlstate: '23514',
    });
  });

  // One shows that the run is at work, one waits for the lock; the third, or the way past the pooler, looks.
  test.for([{ size: 3 }, { size: 1, direct: true }])('who was in the way is named: %o', async (options) => {
    const fleet = await createPooledFleet(['org_a', 'org_b'], options);
    const holder = new Client({ connectionString: fleet.testDatabase.url, application_name: 'holder' });
    await holder.connect();
    onTestFinished(() => holder.end());
    await holder.query(`BEGIN; LOCK TABLE ${schemaNameFor('org_b')}.notes`);
    await fleet.add(LINKS, '-- migrate:up\nALTER TABLE notes ADD body text;');
    const result = await fleet.migrate({ lockTimeoutMs: 400, retries: 1, concurrency: 1 });
    expect(result.totals).toMatchObject({ changed: 1, failed: 1 });
    const error = result.tenants.find(({ outcome }) => outcome === 'failed')?.error;
    expect(error).toMatchObject({ sqlstate: '55P03', blockedBy: [{ application: 'holder' }] });
  });

  test('two runs at once through poolers of their own share the fleet, each tenant once', async () => {
    const fleet = await createPooledFleet(SIX, { size: 3 });
    const other = await startPgBouncer(fleet.testDatabase, { size: 3 });
    await fleet.add(LINKS, createTable('links'));
    const second = fleetOn(fleet.testDatabase, await openPooled(other.settings), fleet.project);
    const [one, two] = await Promise.all([fleet.migrate(), second.migrate()]);
    expect(one.totals.changed + two.totals.changed).toBe(6);
    expect(one.totals.failed + two.totals.failed).toBe(0);
    for (const organization of SIX) expect(await fleet.history(organization)).toHaveLength(3);
  });

  test('a tenant that one run is at work on is not touched by another through the same pooler', async () => {
    const fleet = await createPooledFleet(['org_a'], { size: 4 });
    await fleet.add(LINKS, createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`));
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate();
    await gate.reached();
    const second = fleetOn(fleet.testDatabase, await openPooled(fleet.pooler.settings), fleet.project);
    const refused = await second.migrate({ lockWaitMs: 300 });
    expect(refused.tenants[0]?.error?.code).toBe('LOCK_TIMEOUT');
    await gate.open();
    expect((await run).totals).toMatchObject({ changed: 1 });
  });

  test('the ledger tells a run that is at work from one that has died', async () => {
    const fleet = await createPooledFleet(['org_a'], { size: 3 });
    await fleet.add(LINKS, createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`));
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate({ retries: 0 });
    await gate.reached();
    const outcome = async () => (await readRuns(fleet.database, {}))[0]?.outcome;
    expect(await outcome()).toBe('at-work');
    await gate.open();
    await run;
    expect(await outcome()).toBe('done');
  });

  test('a database that Knex has been migrating is continued', async () => {
    const testDatabase = await createDatabase();
    const project = await originProject();
    await plainKnex(testDatabase, project).migrate.latest();
    for (const id of ['org_a', 'org_b', 'org_c']) await provisionByKnex(testDatabase, project, id);
    const pooler = await startPgBouncer(testDatabase);
    const fleet = fleetOn(testDatabase, await openPooled(pooler.settings), project);

    expect(await migrateMaster(fleet.database, { folder: project.master })).toMatchObject({ names: [] });
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 3 });
    await project.write('src/tenants/migrations/20251103123600_more.js', commonJs(...KNEX_TABLE('more')));
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 3, failed: 0 });
    expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3 });
    expect(await plainKnex(testDatabase, project, 'org_a').migrate.latest()).toMatchObject([2, []]);
  });

  test('master migrations go forward and back', async () => {
    const fleet = await createPooledFleet([]);
    await fleet.project.write('migrations/master/20250101000009_plans.sql', createTable('plans'));
    expect(await migrateMaster(fleet.database, { folder: fleet.project.master })).toMatchObject({ batch: 2 });
    expect(await rollbackMaster(fleet.database, { folder: fleet.project.master })).toMatchObject({
      names: ['20250101000009_plans.sql'],
    });
  });

  test('no statement is prepared by a name, by tenantctl or by Knex', async () => {
    const fleet = await createPooledFleet(['org_a', 'org_b', 'org_c']);
    await fleet.add(
      '3_rows.js',
      knexMigration(`await knex('notes').insert({ id: 1 }); await knex('notes').where({ id: 1 });`),
    );
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 3 });
    const { rows } = await fleet.database.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
  });
});

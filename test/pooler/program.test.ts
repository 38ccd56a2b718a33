import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';
import { startPgBouncer, type PgBouncerOptions } from '../support/pgbouncer.ts';
import { INIT_SQL } from '../support/init-sql.ts';
import { noPsql } from '../support/needs-psql.ts';
import { createProject, createTable, knexMigration } from '../support/project.ts';

const LINKS = 'migrations/tenants/20250101000003_links.sql';
const AT_GATE = createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`);
const OUTSIDE = '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_again ON notes (id);\n';

/** A project whose database is behind a pooler, and a way to run commands there. */
async function behindPooler(options: PgBouncerOptions = {}) {
  const project = await createProject({
    'package.json': '{"type":"module"}',
    'migrations/master/20250101000000_init_db.sql': INIT_SQL,
    'migrations/tenants/20250101000001_notes.sql': createTable('notes'),
  });
  const testDatabase = await createDatabase();
  const pooler = await startPgBouncer(testDatabase, options);
  const call = { cwd: project.folder, env: pooler.env };
  const run = async (exitCode: number, ...args: string[]) => {
    const result = await tenantctl(args, call);
    expect({ args, ...result }).toMatchObject({ args, exitCode });
    return result;
  };
  return { project, testDatabase, pooler, call, run };
}

/** One with tenants, of which `migrate tenants` will have something to do. */
async function provisioned(tenants: number, options: PgBouncerOptions = {}) {
  const made = await behindPooler(options);
  await made.run(0, 'migrate', 'master');
  await made.run(0, 'tenant', 'provision', ...Array.from({ length: tenants }, (_, nth) => `org_${nth}`));
  return made;
}

describe('the program behind PgBouncer', () => {
  test('every command works', { timeout: 120_000 }, async () => {
    const { project, run } = await behindPooler();
    await run(0, 'init');
    expect((await run(0, 'doctor')).stdout).toContain('DB_DIRECT_URL');
    await run(0, 'migrate', 'master', '--dry-run');
    await run(0, 'migrate', 'master');
    await run(0, 'tenant', 'provision', 'org_a', 'org_b', 'org_c', 'org_d');
    await project.write(LINKS, createTable('links'));
    await project.write('migrations/master/20250101000009_plans.sql', createTable('plans'));
    expect((await run(0, 'migrate', 'all', '--dry-run')).stdout).toContain('CREATE TABLE links');
    expect((await run(6, 'status', '--check', '--json')).json()).toMatchObject({ tenants: { behind: 4 } });
    expect((await run(0, 'migrate', 'all', '--concurrency', '8', '--json')).json()).toMatchObject({
      ok: true,
    });
    await run(0, 'status', '--check', '--verify');
    expect((await run(0, 'tenant', 'list', '--json')).json()).toMatchObject({ tenants: { length: 4 } });
    expect((await run(0, 'tenant', 'show', 'org_a')).stdout).toContain('links');
    expect((await run(0, 'runs', '--json')).json()).toMatchObject({ runs: { length: 4 } });
    await run(0, 'runs', 'show', '4');
    await run(0, 'rollback', 'tenants', '--run', '4');
    await run(0, 'migrate', 'tenants', '--canary', '1', '--wave', '50%');
    await run(0, 'rollback', 'tenants', '--dry-run');
    await run(0, 'rollback', 'tenants');
    await run(0, 'rollback', 'master', '--yes');
    await run(0, 'migrate', 'all', '--no-compile');
  });

  test('what needs a session is refused with the remedy, which works', async () => {
    const { project, testDatabase, call, run } = await provisioned(2);
    await project.write('migrations/tenants/20250101000004_index.sql', OUTSIDE);
    const refused = await run(1, 'migrate', 'tenants');
    expect(refused.stderr).toContain('Set DB_DIRECT_URL to PostgreSQL itself');
    const env = { ...call.env, DB_DIRECT_URL: testDatabase.url };
    expect(await tenantctl(['migrate', 'tenants'], { ...call, env })).toMatchObject({ exitCode: 0 });
    expect(await testDatabase.query(`SELECT FROM pg_indexes WHERE indexname = 'notes_again'`)).toHaveLength(
      2,
    );
  });

  test('DB_DIRECT_URL is checked, and its password stays secret', async () => {
    const { testDatabase, project, call } = await provisioned(1);
    await project.write(LINKS, createTable('links'));
    const url = new URL(testDatabase.url);
    url.password = 'c4nary-pa55';
    const elsewhere = new URL(url);
    elsewhere.pathname = '/postgres';
    const unreachable = new URL(url);
    unreachable.port = '1';
    for (const [direct, exitCode] of [
      [`mysql://x:c4nary-pa55@y/z`, 3],
      [elsewhere.href, 3],
      [unreachable.href, 4],
    ] as const) {
      const env = { ...call.env, DB_DIRECT_URL: direct };
      const result = await tenantctl(['migrate', 'tenants', '--verbose'], { ...call, env });
      expect({ direct, ...result }).toMatchObject({ direct, exitCode });
      expect(result.stderr).toContain('DB_DIRECT_URL');
      const examined = await tenantctl(['doctor', '--verbose'], { ...call, env });
      expect(result.stdout + result.stderr + examined.stdout + examined.stderr).not.toContain('c4nary');
      expect(examined.exitCode).not.toBe(0);
    }
  });

  test.for(['in the server', 'in Node'])(
    'a second signal cancels what is at work %s, and it is rolled back',
    async (where) => {
      const { project, testDatabase, call } = await provisioned(2);
      if (where === 'in the server') await project.write(LINKS, AT_GATE);
      else {
        await project.write(
          'migrations/tenants/20250101000003_links.js',
          knexMigration(
            "await knex.raw('CREATE TABLE links ()'); await knex.raw('SELECT 1 AS waiting'); await new Promise((resolve) => setTimeout(resolve, 600_000));",
          ),
        );
      }
      await closeGate(testDatabase);
      const child = startCli(
        ['migrate', 'tenants', '--json', '--concurrency', '1', '--lock-timeout', '0'],
        call,
      );
      await until(async () => (await atWork(testDatabase)) > 0, 'the migration to be at work');
      child.kill('SIGINT');
      await sleep(300);
      child.kill('SIGINT');
      const result = await child.done;
      expect(result.exitCode).toBe(130);
      expect(result.json()).toMatchObject({
        interrupted: true,
        totals: { migrated: 0, failed: 0, skipped: 2 },
      });
      await until(async () => (await atWork(testDatabase)) === 0, 'its backend to be free');
      expect(await testDatabase.query(`SELECT FROM pg_tables WHERE tablename = 'links'`)).toEqual([]);
    },
  );

  test('a process that is killed leaves nothing behind, and the next finishes the job', async () => {
    const { project, testDatabase, call, run } = await provisioned(4, { size: 4 });
    await project.write(LINKS, AT_GATE);
    const gate = await closeGate(testDatabase);
    const child = startCli(['migrate', 'tenants'], call);
    await gate.reached();
    child.kill('SIGKILL');
    await child.done;
    // client_connection_check_interval looks every two seconds.
    await until(async () => (await gate.waiting()) === 0, 'the backend to be gone');
    await gate.open();
    expect((await run(0, 'runs', '--json')).json()).toMatchObject({ runs: [{ outcome: 'died' }, {}, {}] });
    expect((await run(0, 'migrate', 'tenants', '--json')).json()).toMatchObject({ totals: { migrated: 4 } });
    const histories = await testDatabase.query(
      `SELECT FROM tenantctl.run_tenants WHERE outcome = 'migrated' AND names = '{20250101000003_links.sql}'`,
    );
    expect(histories).toHaveLength(4);
  });

  test.for(['PgBouncer', 'its servers'])('a run outlasts that %s are killed in its middle', async (whose) => {
    const { project, testDatabase, pooler, call } = await provisioned(30, { size: 3 });
    await project.write(LINKS, createTable('links').replace('CREATE', 'SELECT pg_sleep(0.05);\nCREATE'));
    const child = startCli(['migrate', 'tenants', '--json', '--no-compile'], call);
    const migrated = async () =>
      (await testDatabase.query(`SELECT FROM pg_tables WHERE tablename = 'links'`)).length;
    await until(async () => (await migrated()) > 3, 'some tenants to be done');
    if (whose === 'PgBouncer') {
      await pooler.kill();
      await sleep(500);
      await pooler.resume();
    } else {
      await testDatabase.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
    }
    const result = await child.done;
    expect(result.json()).toMatchObject({ ok: true, totals: { failed: 0 } });
    expect(await migrated()).toBe(30);
  });

  test('start-up parameters that the pooler refuses are named, and passed over where it does that', async () => {
    const { call } = await behindPooler();
    const refused = await tenantctl(['migrate', 'master'], {
      ...call,
      env: { ...call.env, PGOPTIONS: '-c search_path=nowhere' },
    });
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toContain('PGOPTIONS');
    const ignoring = await behindPooler({
      lines: ['ignore_startup_parameters = options,extra_float_digits'],
    });
    const passed = await tenantctl(['migrate', 'master'], {
      ...ignoring.call,
      env: { ...ignoring.call.env, PGOPTIONS: '-c search_path=nowhere' },
    });
    expect(passed.exitCode).toBe(0);
  });

  test.each([[], ['ignore_startup_parameters = options,extra_float_digits']])(
    'programs for a tenant go past it, and are not started if they cannot (%s)',
    async (...lines) => {
      const { testDatabase, call, run } = await provisioned(1, { lines });
      const commands = [
        ['each', '--', 'sh', '-c', 'echo "$PGPORT $PGOPTIONS"'],
        ...(noPsql === undefined ? [['psql', 'org_0', '--', '-Atc', 'SHOW search_path']] : []),
      ];
      for (const args of commands) expect((await run(1, ...args)).stderr).toContain('DB_DIRECT_URL');

      const direct = { cwd: call.cwd, env: { ...call.env, DB_DIRECT_URL: testDatabase.url } };
      const schema = schemaNameFor('org_0');
      const results = await Promise.all(commands.map((args) => tenantctl(args, direct)));
      expect(results.map(({ stdout }) => stdout)).toEqual(
        [
          `org_0 | ${testDatabase.settings.port} -c search_path="${schema}","public"\n`,
          `"${schema}","public"\n`,
        ].slice(0, results.length),
      );
    },
  );

  test('two processes at once share the fleet', async () => {
    const { project, testDatabase, call } = await provisioned(12, { size: 5 });
    await project.write(LINKS, createTable('links'));
    const results = await Promise.all(
      [1, 2].map(() => startCli(['migrate', 'tenants', '--json'], call).done),
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const totals = results.map((result) => result.json<{ totals: { migrated: number } }>().totals.migrated);
    expect((totals[0] ?? 0) + (totals[1] ?? 0)).toBe(12);
    expect(await testDatabase.query(`SELECT FROM pg_tables WHERE tablename = 'links'`)).toHaveLength(12);
  });
});

/** How many transactions of migrations are open. */
async function atWork(testDatabase: { readonly url: string }): Promise<number> {
  const client = new Client({ connectionString: testDatabase.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = current_database() AND xact_start IS NOT NULL AND query ~ 'waiting|4711' AND pid <> pg_backend_pid()`,
    );
    return rows[0]?.n ?? 0;
  } finally {
    await client.end();
  }
}

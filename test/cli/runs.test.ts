import { userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { readRuns } from '../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';
import { createTable, usualProject } from '../support/project.ts';

const TEN = Array.from({ length: 10 }, (_, nth) => `org_${nth}`);
const anyNumber = expect.any(Number) as number;
const anyText = expect.any(String) as string;
const anyTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;

interface RunsDocument {
  readonly runs: readonly { readonly id: number; readonly command: string; readonly outcome: string }[];
}

interface RunDocument {
  readonly run: {
    readonly id: number;
    readonly outcome: string;
    readonly tenants: readonly { readonly clerkOrgId: string; readonly applied: readonly string[] }[];
  };
}

function at(fleet: Pick<TestFleet, 'project' | 'testDatabase'>) {
  return { cwd: fleet.project.folder, env: fleet.testDatabase.env };
}

/** The organizations whose history holds a migration. */
async function whoHas(fleet: TestFleet, name: string): Promise<string[]> {
  const histories = await Promise.all(TEN.map(async (org) => [org, await fleet.history(org)] as const));
  return histories
    .filter(([, history]) => history.some((entry) => entry.startsWith(name)))
    .map(([org]) => org);
}

test('a killed run is shown as dead at once, with what it did to each tenant, and can be rolled back', async () => {
  const fleet = await createFleet(TEN);
  // The tenants from the sixth on wait: two show what is sent, three are sent it, and in the middle of the others it dies.
  await fleet.query(`CREATE TABLE public.held (schema_name text);
    INSERT INTO public.held SELECT schema_name FROM public.tenants WHERE clerk_org_id >= 'org_5';
    CREATE FUNCTION public.wait_if_held() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM public.held WHERE schema_name = current_schema()) THEN
        ${WAIT_AT_GATE.replace('SELECT', 'PERFORM')}
      END IF;
    END $$`);
  await fleet.add(
    '3_links.sql',
    createTable('links').replace('CREATE', 'SELECT public.wait_if_held();\nCREATE'),
  );
  const gate = await closeGate(fleet.testDatabase);
  const child = startCli(['migrate', 'tenants', '--concurrency', '2', '--json'], at(fleet));
  await gate.reached(2);
  const during = await tenantctl(['runs', '--json'], at(fleet));
  expect(during.json<RunsDocument>().runs[0]).toMatchObject({
    command: 'migrate tenants',
    outcome: 'at-work',
  });

  child.kill('SIGKILL');
  await child.done;
  await until(
    async () => (await readRuns(fleet.database, { limit: 1 }))[0]?.outcome === 'died',
    'the run to be known as dead',
  );
  await gate.open();
  // A backend in the middle of its string may go on to the end of it.
  await until(
    async () =>
      (
        await fleet.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantctl' AND xact_start IS NOT NULL`,
        )
      ).length === 0,
    'the last transactions to end',
  );
  const id = during.json<RunsDocument>().runs[0]?.id ?? 0;
  const shown = await tenantctl(['runs', 'show', String(id), '--all', '--json'], at(fleet));
  const { run } = shown.json<RunDocument>();
  expect(run).toMatchObject({
    id,
    outcome: 'died',
    endedAt: null,
    durationMs: null,
    planned: ['3_links.sql'],
  });
  expect(run.tenants.map(({ clerkOrgId }) => clerkOrgId)).toEqual(await whoHas(fleet, '3_links.sql'));
  expect(run.tenants.length).toBeGreaterThanOrEqual(5);
  expect(run.tenants.every(({ applied }) => applied.join() === '3_links.sql')).toBe(true);

  const undone = await tenantctl(['rollback', 'tenants', '--run', String(id), '--json'], at(fleet));
  expect(undone.json()).toMatchObject({ ok: true, totals: { rolledBack: run.tenants.length, failed: 0 } });
  expect(await whoHas(fleet, '3_links.sql')).toEqual([]);
});

test('a running run cannot be rolled back, and its lock delays nobody', async () => {
  const fleet = await createFleet(['org_0']);
  await fleet.add('3_links.sql', createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`));
  const gate = await closeGate(fleet.testDatabase);
  const migrating = fleet.migrate();
  await gate.reached();
  const [run] = await readRuns(fleet.database, { limit: 1 });
  const refused = await tenantctl(['rollback', 'tenants', '--run', String(run?.id)], at(fleet));
  expect(refused).toMatchObject({ exitCode: 5 });
  expect(refused.stderr).toContain(`Run ${run?.id} is still at work.`);
  const [lease] = await fleet.query(
    `SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE application_name = 'tenantctl lease' AND datname = current_database()`,
  );
  expect(lease).toEqual({ state: 'idle in transaction', backend_xid: null, backend_xmin: null });
  await gate.open();
  await migrating;
  expect((await readRuns(fleet.database, { limit: 1 }))[0]).toMatchObject({ id: run?.id, outcome: 'done' });
});

test('runs and runs show, for people and as JSON', async () => {
  const fleet = await createFleet(['org_0', 'org_1', 'org_2']);
  await fleet.query(
    `ALTER TABLE ${(await fleet.query<{ s: string }>(`SELECT schema_name AS s FROM tenants WHERE clerk_org_id = 'org_1'`))[0]?.s}.notes ADD body text`,
  );
  await fleet.add(
    '3_body.sql',
    '-- migrate:up\nALTER TABLE notes ADD body text;\n-- migrate:down\nALTER TABLE notes DROP body;',
  );
  const { cwd, env } = at(fleet);
  const migrated = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd,
    env: { ...env, TENANTCTL_RUN_LABEL: ` 3f2c9e1\u001b[31m\t(main)\n${'x'.repeat(300)}` },
  });
  const { run: id } = migrated.json<{ run: number }>();

  const listed = await tenantctl(['runs', '--limit', '1', '--json'], at(fleet));
  const run = {
    id,
    command: 'migrate tenants',
    outcome: 'failed',
    startedBy: anyText,
    osUser: userInfo().username,
    label: `3f2c9e1 [31m (main) ${'x'.repeat(180)}`,
    host: anyText,
    pid: anyNumber,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    startedAt: anyTime,
    endedAt: anyTime,
    durationMs: anyNumber,
    planned: ['3_body.sql'],
    options: {},
    notices: [],
    totals: { selected: 3, upToDate: 0, changed: 2, failed: 1, skipped: 0 },
  };
  expect(listed.json()).toEqual({ command: 'runs', ok: true, runs: [run] });
  const shown = await tenantctl(['runs', 'show', String(id), '--json'], at(fleet));
  expect(shown.json()).toEqual({
    command: 'runs show',
    ok: true,
    run: {
      ...run,
      tenants: [
        {
          clerkOrgId: 'org_1',
          schema: anyText,
          outcome: 'failed',
          applied: [],
          batch: 0,
          durationMs: anyNumber,
          error: expect.objectContaining({ code: 'MIGRATION_FAILED', sqlstate: '42701' }) as unknown,
        },
      ],
    },
  });

  const text = await tenantctl(['runs'], at(fleet));
  expect(text.stdout).toMatch(
    /^RUN +STARTED \(UTC\) +COMMAND +OUTCOME +TENANTS +LABEL +WHO +TOOK\n\d+ +\S+ \S+ +migrate tenants +failed +2 migrated, 1 failed +3f2c9e1 .*@.* as /,
  );
  const all = await tenantctl(['runs', 'show', 'latest', '--all'], at(fleet));
  expect(all.stdout).toContain('org_0');
  expect(all.stdout).toContain(`tenantctl rollback tenants --run ${id} undoes exactly this run.`);
  expect((await tenantctl(['runs', 'show', '4711'], at(fleet))).stderr).toContain('There is no run 4711');
  expect((await tenantctl(['runs', 'show', 'last'], at(fleet))).exitCode).toBe(2);
});

test('a run ends with its number and the commands that make sense after it', async () => {
  const fleet = await createFleet(['org_0', 'org_1', 'org_2']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_1')}.links (id int)`);
  const lastLine = async (...args: string[]) => {
    const { stdout, stderr } = await tenantctl(args, at(fleet));
    return (stdout === '' ? stderr : stdout).trimEnd().split('\n').at(-1);
  };
  const migrated = await lastLine('migrate', 'tenants', '--canary', 'org_0,org_2', '--max-failures', '50%');
  const id = Number(/^Run (\d+) /.exec(migrated ?? '')?.[1]);
  expect(migrated).toBe(
    `Run ${id} · tenantctl runs show ${id} · tenantctl migrate tenants --retry-failed ${id} · tenantctl rollback tenants --run ${id}`,
  );
  expect(await lastLine('migrate', 'tenants', '--retry-failed', `${id}`)).toBe(
    `Run ${id + 1} · tenantctl runs show ${id + 1} · tenantctl migrate tenants --retry-failed ${id + 1}`,
  );
  expect(await lastLine('rollback', 'tenants', '--tenant', 'org_0')).toMatch(
    /^Run \d+ · tenantctl runs show \d+$/,
  );

  const partly = await tenantctl(['runs', 'show', `${id}`], at(fleet));
  expect(partly.stdout).toContain('options     canaries: org_0, org_2, max failures: 50 %\n');
  expect(partly.stdout).toContain(`undone      in part by run ${id + 2}\n`);
  expect(partly.stdout).toContain(`tenantctl rollback tenants --run ${id} undoes exactly this run.`);
  expect(await lastLine('rollback', 'tenants', '--run', `${id}`)).toMatch(/^Run /);
  const wholly = await tenantctl(['runs', 'show', `${id}`], at(fleet));
  expect(wholly.stdout).toContain(`undone      by runs ${id + 2}, ${id + 3}\n`);
  expect(wholly.stdout).not.toContain('undoes exactly this run');
  const json = await tenantctl(['runs', 'show', `${id}`, '--json'], at(fleet));
  expect(json.json()).toMatchObject({ run: { undone: { by: [id + 2, id + 3], wholly: true } } });

  expect(await lastLine('migrate', 'tenants', '--dry-run')).not.toContain('Run ');
  expect((await tenantctl(['migrate', 'tenants', '--quiet'], at(fleet))).stdout).not.toContain('Run ');
  expect(await lastLine('tenant', 'provision', 'org_3')).toMatch(/^Run \d+ · tenantctl runs show \d+$/);
  await fleet.project.write('migrations/master/2_bad.sql', '-- migrate:up\nSELECT 1/0;');
  expect(await lastLine('migrate', 'master')).toMatch(/^Run \d+ · tenantctl runs show \d+$/);
  expect((await tenantctl(['migrate', 'master', '--json'], at(fleet))).json()).toMatchObject({
    run: anyNumber,
    error: { run: anyNumber },
  });
});

test('--retry-failed migrates only the tenants that failed', async () => {
  const fleet = await createFleet(TEN.slice(0, 4));
  await fleet.query(
    `CREATE TABLE public.culprits AS SELECT schema_name FROM public.tenants WHERE clerk_org_id IN ('org_1', 'org_2')`,
  );
  await fleet.add(
    '3_links.sql',
    createTable('links').replace(
      'CREATE',
      'SELECT 1 / (1 - count(*)) FROM public.culprits WHERE schema_name = current_schema();\nCREATE',
    ),
  );
  const first = await fleet.migrate({ tenants: ['org_0', 'org_1', 'org_2'] });
  expect(first.totals).toMatchObject({ changed: 1, failed: 2 });
  await fleet.query(
    `DELETE FROM public.culprits WHERE schema_name = (SELECT schema_name FROM tenants WHERE clerk_org_id = 'org_1')`,
  );

  const planned = await tenantctl(['migrate', 'tenants', '--retry-failed', '--dry-run', '--json'], at(fleet));
  expect(planned.json<{ plans: { targets: object[] }[] }>().plans[0]?.targets).toHaveLength(2);
  const second = await tenantctl(['migrate', 'tenants', '--retry-failed', '--json'], at(fleet));
  expect(second.json()).toMatchObject({ totals: { selected: 2, migrated: 1, failed: 1 } });
  await fleet.query('DELETE FROM public.culprits');
  const third = await tenantctl(
    ['migrate', 'tenants', '--retry-failed', String(first.run), '--json'],
    at(fleet),
  );
  expect(third.json()).toMatchObject({ totals: { selected: 2, migrated: 1, upToDate: 1, failed: 0 } });
  expect(await fleet.tables('org_3')).not.toContain('links');

  // The number of a run in which nothing failed, or of another command, is a mistake.
  const retried = third.json<{ run: number }>().run;
  const nothing = await tenantctl(['migrate', 'tenants', '--retry-failed', `${retried}`], at(fleet));
  expect(nothing).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`No tenant failed in run ${retried}.`),
  });
  const provisioning = await tenantctl(['migrate', 'tenants', '--retry-failed', '1'], at(fleet));
  expect(provisioning.exitCode).toBe(1);
  expect(provisioning.stderr).toMatch(/Run 1 was [a-z ]+; --retry-failed takes runs of migrate tenants\./);
  // A run that ended before its first tenant has nothing to undo, and says so.
  await fleet.add('4_broken.ts', 'export const x = (');
  const broken = await tenantctl(['migrate', 'tenants', '--json'], at(fleet));
  const { error } = broken.json<{ error: { run: number } }>();
  await fleet.project.remove('migrations/tenants/4_broken.ts');
  const undone = await tenantctl(['rollback', 'tenants', '--run', `${error.run}`], at(fleet));
  expect(undone.stderr).toContain(`Run ${error.run} applied no migration: there is nothing to undo.`);
});

test('a dry run writes nothing to the ledger', async () => {
  const fleet = await createFleet(['org_0']);
  await fleet.add('3_links.sql', createTable('links'));
  const { run } = await fleet.migrate();
  const ledger = () => fleet.query('SELECT * FROM tenantctl.runs, tenantctl.run_tenants ORDER BY 1');
  const before = await ledger();
  await tenantctl(['migrate', 'tenants', '--dry-run'], at(fleet));
  const plan = await tenantctl(
    ['rollback', 'tenants', '--run', String(run), '--dry-run', '--json'],
    at(fleet),
  );
  expect(plan.json()).toMatchObject({
    plans: [{ migrations: [{ name: '3_links.sql', statements: ['DROP TABLE links;'] }] }],
  });
  expect(await ledger()).toEqual(before);
});

test('the oldest runs of a command are deleted, runs with and without changes separately', async () => {
  const fleet = await createFleet(['org_0']);
  for (const nth of [3, 4, 5]) {
    await fleet.add(`${nth}_more.sql`, createTable(`more_${nth}`));
    await fleet.migrate({ keepRuns: 2 });
    await fleet.migrate({ keepRuns: 2 });
  }
  const runs = await fleet.query<{ planned: string[] }>(
    `SELECT planned FROM tenantctl.runs WHERE command = 'migrate tenants' ORDER BY id`,
  );
  expect(runs.map(({ planned }) => planned.join())).toEqual(['4_more.sql', '', '5_more.sql', '']);
  const orphans = await fleet.query(
    'SELECT FROM tenantctl.run_tenants WHERE run NOT IN (SELECT id FROM tenantctl.runs)',
  );
  expect(orphans).toEqual([]);
  expect(await fleet.query(`SELECT FROM tenantctl.runs WHERE command = 'tenant provision'`)).toHaveLength(1);
});

test('a tenth more runs than RUNS_KEEP stay until the oldest are deleted together', async () => {
  const fleet = await createFleet(['org_0']);
  const kept = async (runs: number) => {
    for (let run = 0; run < runs; run += 1) await fleet.migrate({ keepRuns: 10 });
    return (await fleet.query(`SELECT FROM tenantctl.runs WHERE is_idle`)).length;
  };
  expect([await kept(11), await kept(1)]).toEqual([11, 10]);
});

test('a run that loses its lock takes it again', async () => {
  const fleet = await createFleet(['org_0']);
  await fleet.add('3_links.sql', createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`));
  const gate = await closeGate(fleet.testDatabase);
  const migrating = fleet.migrate();
  await gate.reached();
  await fleet.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tenantctl lease' AND datname = current_database()`,
  );
  const outcome = async () => (await readRuns(fleet.database, { limit: 1 }))[0]?.outcome;
  await until(async () => (await outcome()) === 'at-work', 'the lock to be taken again');
  await gate.open();
  await migrating;
  expect(await outcome()).toBe('done');
});

test('no secret is in the ledger', async () => {
  const { project, testDatabase } = await createFleet(['org_0']);
  await project.write('migrations/tenants/3_fails.sql', '-- migrate:up\nSELECT 1/0;');
  const { DB_HOST, DB_PORT, DB_USER, DB_NAME } = testDatabase.env;
  const env = {
    DATABASE_URL: `postgres://${DB_USER}:canary-password@${DB_HOST}:${DB_PORT}/${DB_NAME}`,
    DB_SSL: 'false',
  };
  await tenantctl(['migrate', 'tenants'], { cwd: project.folder, env });
  const rows = await testDatabase.query<{ row: string }>(
    'SELECT r::text AS row FROM tenantctl.runs r UNION ALL SELECT t::text FROM tenantctl.run_tenants t',
  );
  expect(rows.map(({ row }) => row).join('\n')).not.toContain('canary-password');
});

test('without a ledger, runs lists nothing', async () => {
  const project = await usualProject();
  const { env } = await createDatabase();
  const listed = await tenantctl(['runs'], { cwd: project.folder, env });
  expect(listed).toMatchObject({ exitCode: 0 });
  expect(listed.stdout).toContain('There are no runs yet');
});

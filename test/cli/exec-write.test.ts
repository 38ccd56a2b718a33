import { once } from 'node:events';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

function exec({ project, testDatabase }: TestFleet, ...args: string[]) {
  return tenantctl(['exec', ...args], { cwd: project.folder, env: testDatabase.env });
}

function startExec({ project, testDatabase }: TestFleet, ...args: string[]) {
  return startCli(['exec', ...args], { cwd: project.folder, env: testDatabase.env });
}

/** The notes of each tenant, counted. */
async function countNotes(fleet: TestFleet): Promise<number[]> {
  const counts = ORGANIZATIONS.map(
    (organization) => `SELECT count(*)::int AS n FROM ${schemaNameFor(organization)}.notes`,
  );
  const rows = await fleet.query<{ n: number }>(counts.join(' UNION ALL '));
  return rows.map(({ n }) => n);
}

test('exec --write asks before it destroys data, and says what', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes VALUES (1)`);
  const refused = await exec(fleet, '--write', '--sql', 'DELETE FROM notes');
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('This destroys data in every selected tenant: DELETE FROM notes.');
  expect(await countNotes(fleet)).toEqual([1, 0, 0]);

  expect(await exec(fleet, '--write', '--sql', 'DELETE FROM notes', '--yes')).toMatchObject({ exitCode: 0 });
  expect(await countNotes(fleet)).toEqual([0, 0, 0]);
});

test('exec --write says what it has done, and how to go on where it has not', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  await fleet.project.write('two.sql', 'INSERT INTO notes VALUES (1);\nINSERT INTO notes VALUES (2);\n');
  const refused = await exec(fleet, '--sql', 'DELETE FROM notes');
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('tenantctl exec --write') });

  const dry = await exec(fleet, '--write', '--file', 'two.sql', '--dry-run');
  expect(dry.stdout).toMatch(/^3 tenants: org_a, org_b, org_c; shown on tid_\w+\n {2}two.sql\n {4}INSERT/);
  expect(await countNotes(fleet)).toEqual([0, 0, 0]);

  await fleet.query(`ALTER TABLE ${schemaNameFor('org_b')}.notes ADD CHECK (id > 1)`);
  const partly = await exec(fleet, '--write', '--file', 'two.sql');
  expect(partly.exitCode).toBe(1);
  expect(partly.stdout).toMatch(/✖ org_b .*two\.sql/);
  expect(partly.stdout).toMatch(/✖ 3 tenants: 2 written, 1 failed \([\d.]+ m?s\)\n {2}org_a, org_c\n/);
  const [, run = ''] = /Add --resume (\d+) to the command/.exec(partly.stdout) ?? [];
  await fleet.query(`ALTER TABLE ${schemaNameFor('org_b')}.notes DROP CONSTRAINT notes_id_check`);
  const rest = await exec(fleet, '--write', '--file', 'two.sql', '--resume', run, '--json');
  expect(rest.json()).toMatchObject({
    ok: true,
    totals: { selected: 3, upToDate: 2, written: 1, failed: 0, skipped: 0 },
    tenants: [{ clerkOrgId: 'org_b', outcome: 'written' }],
  });
  expect(await countNotes(fleet)).toEqual([2, 2, 2]);
  const shown = await tenantctl(['runs', 'show', 'latest', '--all'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  expect(shown.stdout).toContain(`sql: INSERT INTO notes VALUES (1); INSERT INTO notes VALUES (2);`);
  expect(shown.stdout).toMatch(/tenants +1 written, 2 written before\n/);

  for (const args of [
    ['--sql', 'SELECT 1', '--resume', 'latest'],
    ['--sql', 'SELECT 1', '--no-compile'],
    ['--sql', 'SELECT 1', '--batch'],
    ['--write', '--sql', 'SELECT 1', '--rate', '5'],
    ['--write', '--sql', 'SELECT 1', '--format', 'csv'],
    ['--write', '--sql', 'SELECT 1', '--batch', 'SELECT 2'],
    ['--write', '--batch', 'CREATE TABLE more ()'],
    ['--write', '--sql', 'VACUUM notes'],
  ])
    expect({ args, ...(await exec(fleet, ...args)) }).toMatchObject({ args, exitCode: 2 });
});

test('after kill -9, --resume writes once in each tenant, although the server still has what the dead one had sent', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const gate = await closeGate(fleet.testDatabase);
  // The first two show what to send: the third is sent its whole transaction as one string.
  const sql = `INSERT INTO notes SELECT count(*) FROM notes; SELECT CASE WHEN current_schema() = '${schemaNameFor('org_c')}' THEN (${WAIT_AT_GATE.replace(';', '')})::text END`;
  const child = startExec(fleet, '--write', '--sql', sql, '--concurrency', '1');
  await gate.reached();
  child.kill('SIGKILL');
  await once(child, 'close');
  const rest = startExec(fleet, '--write', '--sql', sql, '--resume', 'latest', '--json');
  await until(async () => {
    const rows = await fleet.query(`SELECT FROM tenantctl.runs WHERE options ? 'continuedBy'`);
    return rows.length > 0;
  }, 'the run to be taken over');
  await gate.open();
  const result = await rest.done;
  expect(result.json()).toMatchObject({ totals: { selected: 3, upToDate: 2, written: 1 } });
  expect(await countNotes(fleet)).toEqual([1, 1, 1]);
});

const FILL = "UPDATE words SET text = 'x' WHERE id = (SELECT id FROM words WHERE text IS NULL LIMIT 1)";

test('exec --write --batch is killed, stopped and continued, and says how far it is', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const left = async () => {
    const counts = ORGANIZATIONS.map(
      (organization) =>
        `SELECT count(*)::int AS n FROM ${schemaNameFor(organization)}.words WHERE text IS NULL`,
    );
    const rows = await fleet.query<{ n: number }>(counts.join(' UNION ALL '));
    return rows.map(({ n }) => n);
  };
  for (const [nth, organization] of ORGANIZATIONS.entries())
    await fleet.query(
      `CREATE TABLE ${schemaNameFor(organization)}.words AS SELECT n AS id, NULL::text AS text FROM generate_series(1, ${nth * 200}) AS n`,
    );
  const killed = startExec(fleet, '--write', '--batch', FILL, '--rate', '100');
  await until(async () => (await left()).every((n, nth) => n < nth * 200 || nth === 0), 'batches');
  killed.kill('SIGKILL');
  await once(killed, 'close');
  const stopped = startExec(fleet, '--write', '--batch', FILL, '--rate', '100', '--resume', 'latest');
  const isTakenOver = async () =>
    (await fleet.query(`SELECT FROM tenantctl.runs WHERE options ? 'resumes'`)).length > 0;
  await until(isTakenOver, 'the next run');
  const [, before = 0] = await left();
  expect(before).toBeGreaterThan(0);
  await until(async () => ((await left())[1] ?? 0) < before, 'more batches');
  stopped.kill('SIGINT');
  const said = await stopped.done;
  expect(said.exitCode).toBe(130);
  expect(said.stdout).toMatch(
    /! Interrupted\. 3 tenants: 1 written before, 2 left out; \d+ rows in \d+ batches, \d+ rows\/s/,
  );
  expect(said.stdout).toMatch(/Add --resume \d+ to the command/);

  const rest = await exec(fleet, '--write', '--batch', FILL, '--resume', 'latest', '--json');
  const document = rest.json<{ totals: { rows: number } }>();
  expect(document).toMatchObject({
    totals: { selected: 3, upToDate: 1, written: 2 },
    tenants: [{ rows: expect.any(Number), batches: expect.any(Number) }, {}],
  });
  expect(await left()).toEqual([0, 0, 0]);
});

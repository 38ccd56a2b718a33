import { expect, test, vi } from 'vitest';
import { startCli } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';
import { holdLock } from '../support/hold-lock.ts';
import { createTable, knexMigration } from '../support/project.ts';

const AT_GATE = createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`);

interface Document {
  readonly interrupted: boolean;
  readonly totals: { readonly migrated: number; readonly failed: number; readonly skipped: number };
  readonly tenants: readonly {
    readonly clerkOrgId: string;
    readonly outcome: string;
    readonly reason?: string;
  }[];
}

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s lets the running tenant finish and lists the others, exit %i', async ([signal, exitCode]) => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { project, testDatabase } = fleet;
  await project.write('migrations/tenants/20250101000003_links.sql', AT_GATE);
  const gate = await closeGate(testDatabase);

  const child = startCli(['migrate', 'tenants', '--concurrency', '1', '--json'], {
    cwd: project.folder,
    env: testDatabase.env,
  });
  await gate.reached();
  child.kill(signal);
  await child.said('Stopping');
  await gate.open();
  const result = await child.done;

  expect(result.exitCode).toBe(exitCode);
  expect(result.stderr).toContain('Stopping: no new tenants are started, running ones finish.');
  const document = result.json<Document>();
  expect(document).toMatchObject({
    ok: false,
    error: { code: 'INTERRUPTED' },
    interrupted: true,
    totals: { migrated: 1, skipped: 2 },
  });
  expect(document.tenants).toContainEqual(
    expect.objectContaining({ clerkOrgId: 'org_b', outcome: 'skipped', reason: 'the run was interrupted' }),
  );
  expect(await fleet.tables('org_a')).toContain('links');
  expect(await fleet.tables('org_b')).not.toContain('links');
});

/** A migration whose end is seconds away in the server, and minutes away in Node. */
const SLEEPS: Readonly<Record<string, string>> = {
  'in the server': AT_GATE,
  'in Node': knexMigration(
    "await knex.raw('CREATE TABLE links ()'); await new Promise((resolve) => setTimeout(resolve, 600_000));",
  ),
};

test.for(['in the server', 'in Node'])(
  'a second signal cancels the work %s; it is rolled back, and the result lists it',
  async (where) => {
    const fleet = await createFleet(['org_a', 'org_b']);
    const extension = where === 'in Node' ? 'js' : 'sql';
    await fleet.add(`20250101000003_links.${extension}`, SLEEPS[where] ?? '');
    await closeGate(fleet.testDatabase);

    const child = startCli(['migrate', 'tenants', '--json', '--concurrency', '1'], {
      cwd: fleet.project.folder,
      env: fleet.testDatabase.env,
    });
    await until(() => isAtWork(fleet), 'the migration to be at work');
    child.kill('SIGINT');
    await child.said('Stopping');
    child.kill('SIGINT');
    const result = await child.done;
    await vi.waitUntil(async () => (await backends(fleet)) === 0, { timeout: 30_000 });

    expect(result.exitCode).toBe(130);
    expect(result.stderr).toContain('Cancelling: running tenants are rolled back.');
    expect(result.json<Document>()).toMatchObject({
      interrupted: true,
      totals: { migrated: 0, failed: 0, skipped: 2 },
    });
    expect(await fleet.tables('org_a')).not.toContain('links');
    expect(await fleet.history('org_a')).toHaveLength(2);
  },
);

test('a third signal ends the program at once', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('20250101000003_links.js', SLEEPS['in Node'] ?? '');
  const child = startCli(['migrate', 'tenants'], { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  await until(() => isAtWork(fleet), 'the migration to be at work');
  for (const answer of ['Stopping', 'Cancelling']) {
    child.kill('SIGTERM');
    await child.said(answer);
  }
  child.kill('SIGTERM');
  expect((await child.done).exitCode).toBe(143);
  await vi.waitUntil(async () => (await backends(fleet)) === 0, { timeout: 30_000 });
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('a signal ends the wait for another run', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  await holdLock(testDatabase, 'master');

  const child = startCli(['migrate', 'master'], { cwd: project.folder, env: testDatabase.env });
  await until(async () => {
    const looking = await testDatabase.query(
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'tenantctl' AND query ~ 'advisory'`,
    );
    return looking.length > 0;
  }, 'the program to ask for the lock');
  child.kill('SIGTERM');
  const { exitCode, stderr } = await child.done;

  expect(exitCode).toBe(143);
  expect(stderr).toContain('Stopped while another run was at work on the master schema.');
});

/** Whether the migration has sent what comes before its sleep. */
async function isAtWork(fleet: TestFleet): Promise<boolean> {
  const rows = await fleet.query(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND query ~ 'CREATE TABLE links|advisory_xact_lock_shared'
       AND (state = 'idle in transaction' OR wait_event_type = 'Lock')`,
  );
  return rows.length > 0;
}

/** How many connections of programs there are; the tests' own pool is idle. */
async function backends(fleet: TestFleet): Promise<number> {
  const rows = await fleet.query(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'tenantctl' AND state <> 'idle'`,
  );
  return rows.length;
}

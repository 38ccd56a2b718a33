import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { startCli } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { holdLock } from '../support/hold-lock.ts';
import { createTable } from '../support/project.ts';

const AT_GATE = createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`);

interface Document {
  readonly interrupted: boolean;
  readonly totals: { readonly migrated: number; readonly skipped: number };
  readonly tenants: readonly {
    readonly clerkOrgId: string;
    readonly outcome: string;
    readonly reason?: string;
  }[];
}

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s lets the tenant at work finish and lists the others, exit %i', async ([signal, exitCode]) => {
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
  await sleep(200);
  await gate.open();
  const result = await child.done;

  expect(result.exitCode).toBe(exitCode);
  expect(result.stderr).toContain('Stopping: no new tenant is begun, those at work finish.');
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

test('a second signal ends the program at once, and the server takes back what was open', async () => {
  const fleet = await createFleet(['org_a']);
  const { project, testDatabase } = fleet;
  await project.write('migrations/tenants/20250101000003_links.sql', AT_GATE);
  const gate = await closeGate(testDatabase);

  const child = startCli(['migrate', 'tenants'], { cwd: project.folder, env: testDatabase.env });
  await gate.reached();
  child.kill('SIGINT');
  await sleep(200);
  const before = Date.now();
  child.kill('SIGINT');
  const { exitCode } = await child.done;
  const took = Date.now() - before;
  await gate.open();
  await vi.waitUntil(async () => (await backends(fleet)) === 0, { timeout: 10_000 });

  expect(exitCode).toBe(130);
  expect(took).toBeLessThan(2_000);
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('a signal ends the wait for another run', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  await holdLock(testDatabase, 'master');

  const child = startCli(['migrate', 'master'], { cwd: project.folder, env: testDatabase.env });
  await sleep(900);
  child.kill('SIGTERM');
  const { exitCode, stderr } = await child.done;

  expect(exitCode).toBe(143);
  expect(stderr).toContain('Stopped while another run was at work on the master schema.');
});

/** How many connections of programs there are; the tests' own pool is idle. */
async function backends(fleet: TestFleet): Promise<number> {
  const rows = await fleet.query(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'tenantctl' AND state <> 'idle'`,
  );
  return rows.length;
}

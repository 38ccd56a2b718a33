import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres-programs.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

/*
 * A server that dies and comes back in the middle of a run, with fsync on. It is the tests' own: the others have theirs.
 */

const ORGANIZATIONS = Array.from({ length: 40 }, (_, nth) => `org_${nth}`);

let ownServer: PostgresServer | undefined;
let standing: StandingFleet | undefined;

beforeAll(async () => {
  ownServer = await startPostgres({ isDurable: true });
  standing = await standingFleet(
    ORGANIZATIONS,
    {
      'package.json': '{"type":"module"}',
      'migrations/master/1_init.sql': INIT_SQL,
      'migrations/tenants/1_notes.sql':
        '-- migrate:up\nCREATE TABLE notes (id int);\n-- migrate:down\nDROP TABLE notes;\n',
    },
    ownServer.url,
  );
}, 120_000);

function built() {
  if (standing === undefined || ownServer === undefined) throw new Error('The fleet could not be built.');
  return { fleet: standing.fleet, server: ownServer };
}

afterAll(async () => {
  await standing?.close();
  await ownServer?.stop();
}, 60_000);

test.each([true, false])(
  'a run outlives a crash of the server, and every migration is applied once (compiled: %s)',
  async (compile) => {
    const { fleet, server } = built();
    const name = compile ? '2_compiled.sql' : '3_interactive.sql';
    await fleet.add(
      name,
      `-- migrate:up\nINSERT INTO notes VALUES (${compile ? 2 : 3});\nSELECT pg_sleep(0.02);\n-- migrate:down\nSELECT 1;\n`,
    );
    let ended = 0;
    let crashed: Promise<void> | undefined;
    const observe = (event: RunEvent) => {
      if (event.type !== 'tenant') return;
      ended += 1;
      if (ended === 12) crashed = server.halt().then(() => server.resume());
    };

    const { totals, tenants } = await fleet.migrate({ compile, observe });
    await crashed;

    expect(crashed).toBeDefined();
    expect(totals).toMatchObject({ selected: 40, changed: 40, failed: 0 });
    expect(tenants.every(({ names }) => names.join() === name)).toBe(true);
    for (const organization of ORGANIZATIONS) {
      const history = await fleet.history(organization);
      expect(history.filter((row) => row.startsWith(name))).toHaveLength(1);
      const [row] = await fleet.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM ${tenants.find(({ clerkOrgId }) => clerkOrgId === organization)?.schema}.notes WHERE id = ${compile ? 2 : 3}`,
      );
      expect(row?.n).toBe(1);
    }
  },
  60_000,
);

test('when the server does not come back, the result still tells of every tenant', async () => {
  const { fleet, server } = built();
  await fleet.add('4_gone.sql', '-- migrate:up\nSELECT pg_sleep(0.02);\n-- migrate:down\nSELECT 1;\n');
  let halted: Promise<void> | undefined;
  const warnings: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'tenant' && event.done === 12) halted = server.halt();
    if (event.type === 'warning') warnings.push(event.message);
  };

  const { totals, tenants } = await fleet.migrate({ observe, retries: 1 });
  await halted;
  await server.resume();

  expect(new Set(tenants.map(({ clerkOrgId }) => clerkOrgId)).size).toBe(40);
  expect(totals.changed).toBeGreaterThanOrEqual(12);
  expect(totals.failed).toBe(40 - totals.changed);
  expect(tenants.find(({ outcome }) => outcome === 'failed')?.error).toMatchObject({
    hint: expect.any(String) as string,
  });
  expect(warnings.some((warning) => warning.includes('were not looked for'))).toBe(true);

  const again = await fleet.migrate();
  expect(again.totals).toMatchObject({ failed: 0, selected: 40 });
  for (const organization of ORGANIZATIONS) {
    const history = await fleet.history(organization);
    expect(history.filter((row) => row.startsWith('4_gone'))).toHaveLength(1);
  }
}, 60_000);

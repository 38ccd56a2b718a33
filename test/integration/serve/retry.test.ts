import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable } from '../../support/project.ts';

const ALTER = `-- migrate:up
ALTER TABLE notes ADD COLUMN more text;
-- migrate:down
ALTER TABLE notes DROP COLUMN more;
`;

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** Reads a tenant's table in a transaction that stays open, as a report that takes long would. */
async function readNotes(fleet: TestFleet, organization: string): Promise<{ end(): Promise<void> }> {
  const reader = new Client({ connectionString: fleet.testDatabase.url, application_name: 'reporting' });
  reader.on('error', () => {});
  await reader.connect();
  onTestFinished(() => reader.end());
  await reader.query('BEGIN');
  await reader.query(`SELECT count(*) FROM ${schemaNameFor(organization)}.notes`);
  return {
    async end() {
      await reader.query('COMMIT');
    },
  };
}

/** SQL that fails with this SQLSTATE the first so many times, and says how often it was run: sequences are not rolled back. */
function failing(sqlstate: string, times: number): string {
  return `DO $$ BEGIN
    IF nextval('public.tries') <= ${times} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '${sqlstate}'; END IF;
  END $$;`;
}

async function tries(fleet: TestFleet): Promise<number> {
  const [row] = await fleet.query<{ n: number }>(
    'SELECT CASE WHEN is_called THEN last_value ELSE 0 END::int AS n FROM public.tries',
  );
  return row?.n ?? 0;
}

async function fleetThatFails(
  organizations: readonly string[],
  sql: string,
  config = '',
): Promise<TestFleet> {
  const fleet = await createFleet(organizations);
  await fleet.query('CREATE SEQUENCE public.tries');
  await fleet.add('20250101000003_moody.sql', `-- migrate:up${config}\n${sql}\n-- migrate:down\nSELECT 1;\n`);
  return fleet;
}

test.each([true, false])(
  'a tenant whose table is read for longer than the lock timeout comes after the others (compiled: %s)',
  async (compile) => {
    const fleet = await createFleet(FIVE);
    await fleet.add('20250101000003_alter.sql', ALTER);
    const reader = await readNotes(fleet, 'org_d');

    const ended: string[] = [];
    const observe = (event: RunEvent) => {
      if (event.type !== 'tenant') return;
      ended.push(event.result.clerkOrgId);
      if (ended.length === 4) void reader.end();
    };
    const { totals, tenants } = await fleet.migrate({ lockTimeoutMs: 150, compile, observe });

    expect(totals).toMatchObject({ selected: 5, changed: 5, failed: 0 });
    expect(ended.at(-1)).toBe('org_d');
    expect(tenants.every(({ names }) => names.join() === '20250101000003_alter.sql')).toBe(true);
    expect(await fleet.history('org_d')).toHaveLength((await fleet.history('org_a')).length);
  },
);

test.each([true, false])(
  'who is locked out to the end fails, and the error names who was in the way (compiled: %s)',
  async (compile) => {
    const fleet = await createFleet(FIVE);
    await fleet.add('20250101000003_alter.sql', ALTER);
    await readNotes(fleet, 'org_d');

    const result = await fleet.migrate({ lockTimeoutMs: 300, retries: 1, compile });

    expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
    const { error } = resultOf(result, 'org_d');
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED', sqlstate: '55P03' });
    expect(error?.blockedBy).toEqual([
      {
        pid: expect.any(Number) as number,
        user: expect.any(String) as string,
        application: 'reporting',
        state: 'idle in transaction',
        query: `SELECT count(*) FROM ${schemaNameFor('org_d')}.notes`,
      },
    ]);
  },
);

test('a prepared transaction that is in the way is named, with the statements that end it', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.add('20250101000003_alter.sql', ALTER);
  await fleet.query(`BEGIN; LOCK TABLE ${schemaNameFor('org_d')}.notes; PREPARE TRANSACTION 'it''s left'`);
  try {
    const result = await fleet.migrate({ lockTimeoutMs: 300, retries: 0 });

    expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
    const { error } = resultOf(result, 'org_d');
    expect(error?.blockedBy).toMatchObject([{ pid: 0, query: `PREPARE TRANSACTION 'it''s left'` }]);
    expect(error?.details?.join()).toContain(`ROLLBACK PREPARED 'it''s left';`);
  } finally {
    await fleet.query(`ROLLBACK PREPARED 'it''s left'`);
  }
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 4, failed: 0 });
});

test.each(['40001', '40P01', '55P03', '57P01'])('%s is tried again until it has passed', async (sqlstate) => {
  const fleet = await fleetThatFails(['org_a'], failing(sqlstate, 2));
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await tries(fleet)).toBe(3);
});

test('what does not pass is given up after so many retries, and says what it was', async () => {
  const fleet = await fleetThatFails(['org_a'], failing('40001', 99));
  const result = await fleet.migrate({ retries: 2 });
  expect(resultOf(result, 'org_a').error).toMatchObject({ sqlstate: '40001', message: 'not now' });
  expect(await tries(fleet)).toBe(3);
});

test('without retries, everything is tried once', async () => {
  const fleet = await fleetThatFails(['org_a'], failing('40001', 99));
  expect((await fleet.migrate({ retries: 0 })).totals).toMatchObject({ failed: 1 });
  expect(await tries(fleet)).toBe(1);
});

test('an error that would come again is not tried again', async () => {
  const fleet = await fleetThatFails(['org_a'], failing('23505', 99));
  expect((await fleet.migrate()).totals).toMatchObject({ failed: 1 });
  expect(await tries(fleet)).toBe(1);
});

test('a migration outside a transaction is not tried again: what it did is not undone', async () => {
  const fleet = await fleetThatFails(['org_a'], failing('40001', 99), ' transaction:false');
  expect((await fleet.migrate()).totals).toMatchObject({ failed: 1 });
  expect(await tries(fleet)).toBe(1);
});

test('a provisioning that fails for a reason that passes is tried again, and leaves no trace of that', async () => {
  const fleet = await fleetThatFails([], failing('40001', 2));
  const results = await fleet.provision('org_a', 'org_b', 'org_c');
  expect(results.map(({ outcome }) => outcome)).toEqual(['provisioned', 'provisioned', 'provisioned']);
  expect(await tries(fleet)).toBe(5);
  expect((await fleet.status()).tenants).toMatchObject({ total: 3, upToDate: 3, failed: 0 });
});

test('a master migration is tried again', async () => {
  const fleet = await createFleet([]);
  await fleet.query('CREATE SEQUENCE public.tries');
  await fleet.project.write(
    'migrations/master/20250101000009_moody.sql',
    `-- migrate:up\n${failing('40P01', 2)}\n-- migrate:down\nSELECT 1;\n`,
  );
  const { names } = await migrateMaster(fleet.database, { folder: fleet.project.master });
  expect(names).toEqual(['20250101000009_moody.sql']);
  expect(await tries(fleet)).toBe(3);
});

test.each([true, false])(
  'a backend that is terminated in the middle costs nothing but time (compiled: %s)',
  async (compile) => {
    const fleet = await createFleet(FIVE);
    await fleet.add(
      '20250101000003_links.sql',
      createTable('links').replace('CREATE', `${WAIT_AT_GATE}\nCREATE`),
    );
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate({ compile, concurrency: 2 });
    await gate.reached();
    await fleet.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'tenantctl' AND wait_event_type = 'Lock'`,
    );
    await sleep(50);
    await gate.open();

    const { totals } = await run;
    expect(totals).toMatchObject({ selected: 5, changed: 5, failed: 0 });
    for (const organization of FIVE) {
      expect(await fleet.tables(organization)).toContain('links');
      expect(
        (await fleet.history(organization)).filter((row) => row.startsWith('20250101000003')),
      ).toHaveLength(1);
    }
  },
);

test('a statement that takes longer than it may is cancelled, and its tenant alone fails', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_b')}.is_slow ()`);
  await fleet.add(
    '20250101000003_slow.sql',
    `-- migrate:up\nDO $$ BEGIN IF to_regclass('is_slow') IS NOT NULL THEN PERFORM pg_sleep(20); END IF; END $$;\n-- migrate:down\nSELECT 1;\n`,
  );
  const result = await fleet.migrate({ statementTimeoutMs: 2_000 });
  expect(result.totals).toMatchObject({ changed: 2, failed: 1 });
  expect(resultOf(result, 'org_b').error).toMatchObject({ code: 'MIGRATION_FAILED', sqlstate: '57014' });
});

test('while a long reader keeps a tenant from being altered, its application goes on, and all other tenants are done', async () => {
  const fleet = await createFleet(FIVE);
  await fleet.add('20250101000003_alter.sql', ALTER);
  const reader = await readNotes(fleet, 'org_d');
  const application = new Client({ connectionString: fleet.testDatabase.url, statement_timeout: 30_000 });
  await application.connect();
  onTestFinished(() => application.end());

  const ended = new Map<string, string>();
  const observe = (event: RunEvent) => {
    if (event.type === 'tenant') ended.set(event.result.clerkOrgId, event.result.outcome);
  };
  const running = fleet.migrate({ lockTimeoutMs: 500, retries: 3, observe });
  // Behind an ALTER that waits without a limit, the first of these would wait until the reader has ended.
  let answered = 0;
  const others = FIVE.filter((organization) => organization !== 'org_d');
  for (; answered < 20 || others.some((organization) => !ended.has(organization)); answered += 1) {
    await application.query(`SELECT count(*) FROM ${schemaNameFor('org_d')}.notes`);
    await sleep(50);
  }
  expect(others.map((organization) => ended.get(organization))).toEqual(others.map(() => 'migrated'));
  await reader.end();
  expect((await running).totals.selected).toBe(5);
});

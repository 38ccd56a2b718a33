import type { ChildProcess } from 'node:child_process';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import type { TestServerDatabase } from '../support/database.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';
import { knexMigration } from '../support/project.ts';
import { silentProxy } from '../support/silent-proxy.ts';

/*
 * A client that is gone without a word. The server has a minute to notice, whatever its role and database say.
 */

const LONG = 'pg_sleep(300)';
const OUTSIDE = 'export const config = { transaction: false };';

/** Settings of the database that would let a dead client's backend live for ever. */
async function fleetThatForgives(organizations: readonly string[]): Promise<TestFleet> {
  const fleet = await createFleet(organizations);
  const [row] = await fleet.query<{ name: string }>('SELECT current_database() AS name');
  const settings = ['idle_in_transaction_session_timeout', 'tcp_keepalives_idle', 'tcp_user_timeout'];
  if ('client_connection_check_interval' in fleet.database.deadClientSettings)
    settings.push('client_connection_check_interval');
  for (const name of settings) await fleet.query(`ALTER DATABASE ${row?.name} SET ${name} = 0`);
  return fleet;
}

function start(fleet: TestFleet, env: TestServerDatabase['env'] = fleet.testDatabase.env): ChildProcess {
  const child = startCli(['migrate', 'tenants', '--json'], { cwd: fleet.project.folder, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** How many backends of the program have something under way. */
async function atWork(fleet: TestFleet): Promise<number> {
  const rows = await fleet.query(
    `SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'tenantctl%' AND state <> 'idle'`,
  );
  return rows.length;
}

/** How many tenants somebody is at work on. */
async function locks(fleet: TestFleet): Promise<number> {
  const rows = await fleet.query(
    `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows.length;
}

const sees = (fleet: TestFleet, query: string, state: string) =>
  until(async () => {
    const rows = await fleet.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ $1 AND state = $2`,
      [query, state],
    );
    return rows.length > 0;
  }, `${query} to be ${state}`);

const SLEEPERS = {
  'statement by statement': [`-- migrate:up\nCREATE TABLE slow ();\nSELECT ${LONG};`, 'slow'],
  'as one string': [
    `-- migrate:up\nCREATE TABLE slow ();\nSELECT CASE current_schema() WHEN '${schemaNameFor('org_d')}' THEN ${LONG} END;`,
    'slow.*leave',
  ],
  'outside a transaction': [`-- migrate:up transaction:false\nSELECT ${LONG};`, 'sleep'],
} as const;

describe('a client that is killed during a long statement', () => {
  test.for(Object.entries(SLEEPERS))(
    '%s: the server stops the work and frees the tenant',
    async ([, [text, query]], context) => {
      if (inject('serverVersion') < 140_000)
        context.skip('before PostgreSQL 14 a server does not look after its client while it is busy');
      const fleet = await fleetThatForgives(['org_a', 'org_b', 'org_c', 'org_d']);
      await fleet.add('3_slow.sql', text);
      const child = start(fleet);
      await sees(fleet, query, 'active');
      child.kill('SIGKILL');
      await vi.waitUntil(async () => (await atWork(fleet)) === 0 && (await locks(fleet)) === 0, {
        timeout: 30_000,
        interval: 250,
      });
      expect(await fleet.tables('org_d')).not.toContain('slow');
      const histories = await Promise.all(['org_a', 'org_d'].map((each) => fleet.history(each)));
      expect(histories.at(1)).toHaveLength(2);
    },
  );
});

/** A migration that waits in Node for so many seconds. */
const naps = (seconds: number, config = '') =>
  knexMigration(
    `await knex.raw('SELECT 1 AS nap');
     await new Promise((resolve) => setTimeout(resolve, ${seconds * 1_000}));
     await knex.raw('CREATE INDEX ${config === '' ? '' : 'CONCURRENTLY'} notes_it ON notes (id)');`,
    '',
    config,
  );

describe.concurrent('for as long as a server waits', () => {
  test.for([
    ['in a transaction', ''],
    ['outside a transaction', OUTSIDE],
  ])('a connection that has fallen silent %s frees its tenant', { timeout: 150_000 }, async ([, config]) => {
    const fleet = await fleetThatForgives(['org_a']);
    await fleet.add('3_nap.js', naps(600, config));
    const proxy = await silentProxy(fleet.testDatabase);
    start(fleet, proxy.env);
    await sees(fleet, 'nap', config === '' ? 'idle in transaction' : 'idle');
    proxy.fallSilent();
    expect(await locks(fleet)).toBeGreaterThan(0);
    await vi.waitUntil(async () => (await locks(fleet)) === 0, { timeout: 75_000, interval: 500 });
    expect(await atWork(fleet)).toBe(0);
    expect(await fleet.history('org_a')).toHaveLength(2);
  });

  test(
    'a migration outside a transaction that takes longer keeps its tenant, and builds an index concurrently',
    { timeout: 150_000 },
    async () => {
      const fleet = await fleetThatForgives(['org_a']);
      await fleet.add('3_nap.js', naps(53, OUTSIDE));
      const result = await tenantctl(['migrate', 'tenants', '--json'], {
        cwd: fleet.project.folder,
        env: fleet.testDatabase.env,
      });
      expect(result.json()).toMatchObject({ ok: true, totals: { migrated: 1 } });
    },
  );
});

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { startPostgres, startStandby, type PostgresServer } from '../../support/postgres-programs.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

/*
 * A standby that stops replaying, and goes on. Both servers are the tests' own.
 */

const ORGANIZATIONS = Array.from({ length: 12 }, (_, nth) => `org_${nth}`);

let primary: PostgresServer | undefined;
let standby: PostgresServer | undefined;
let standing: StandingFleet | undefined;

beforeAll(async () => {
  primary = await startPostgres();
  standing = await standingFleet(
    ORGANIZATIONS,
    {
      'package.json': '{"type":"module"}',
      'migrations/master/1_init.sql': INIT_SQL,
      'migrations/tenants/1_notes.sql': createTable('notes'),
    },
    primary.url,
  );
}, 120_000);

afterAll(async () => {
  await standing?.close();
  await standby?.stop();
  await primary?.stop();
}, 60_000);

function built() {
  if (standing === undefined || primary === undefined) throw new Error('The fleet could not be built.');
  return { fleet: standing.fleet, primary };
}

/** The standby, started by the first test that wants one. */
async function onStandby(text: string): Promise<void> {
  standby ??= await startStandby(built().primary);
  const client = new Client({ connectionString: standby.url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

test('where no standby is connected, nothing is held back, and that is said', async () => {
  const { fleet } = built();
  await fleet.add('2_links.sql', createTable('links'));
  const warnings: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'warning') warnings.push(event.message);
  };

  const { totals, rollout } = await fleet.migrate({ observe, rollout: { maxReplicaLagMs: 1000 } });

  expect(totals).toMatchObject({ changed: 12, failed: 0 });
  expect(rollout?.heldBackMs).toBe(0);
  expect(warnings).toContain('No standby is connected: --max-replica-lag holds nothing back.');
});

test('while a standby stands still no tenant is begun, and when it has caught up the run goes on', async () => {
  const { fleet } = built();
  await fleet.add('3_tags.sql', createTable('tags'));
  await onStandby('SELECT pg_wal_replay_pause()');
  const ended: string[] = [];
  const phases: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'tenant') ended.push(event.result.clerkOrgId);
    if (event.type === 'phase') phases.push(event.message);
  };

  const running = fleet.migrate({
    observe,
    concurrency: 1,
    rollout: { wave: { count: 2 }, pauseMs: 300, maxReplicaLagMs: 400 },
  });
  await expect
    .poll(() => phases.join('\n'), { timeout: 30_000 })
    .toContain('Waiting for the standby standby');
  await sleep(500);
  const before = ended.length;
  await sleep(1500);
  expect(ended.length).toBe(before);
  expect(before).toBeLessThan(ORGANIZATIONS.length);

  await onStandby('SELECT pg_wal_replay_resume()');
  const { totals, rollout } = await running;
  expect(totals).toMatchObject({ changed: 12, failed: 0, skipped: 0 });
  expect(rollout?.heldBackMs).toBeGreaterThanOrEqual(1000);
}, 60_000);

test('a run that is held back by a standby can be stopped', async () => {
  const { fleet } = built();
  await fleet.add('4_more.sql', createTable('more'));
  await onStandby('SELECT pg_wal_replay_pause()');
  const stop = new AbortController();
  const observe = (event: RunEvent) => {
    if (event.type === 'phase' && event.message.startsWith('Waiting for the standby')) stop.abort();
  };

  const { totals, interrupted } = await fleet.migrate({
    observe,
    signal: stop.signal,
    concurrency: 1,
    rollout: { wave: { count: 2 }, pauseMs: 300, maxReplicaLagMs: 400 },
  });
  await onStandby('SELECT pg_wal_replay_resume()');

  expect(interrupted).toBe(true);
  expect(totals.skipped).toBeGreaterThan(0);
  expect(totals.changed + totals.skipped).toBe(12);
}, 60_000);

test('who may not see how far standbys are behind is refused before anything is done, with the remedy', async () => {
  const { fleet } = built();
  await fleet.query(`CREATE ROLE deployer LOGIN`);
  await fleet.query(`GRANT ALL ON ALL TABLES IN SCHEMA public, tenantctl TO deployer`);
  await fleet.query(`GRANT USAGE ON SCHEMA tenantctl TO deployer`);
  const { settings } = fleet.testDatabase;
  const database = await openDatabase({ ...settings, user: 'deployer' }, { maxConnections: 2 });
  try {
    const refusal = await refusalOf(
      migrateTenants(database, {
        folder: fleet.project.tenants,
        rollout: { maxReplicaLagMs: 1000 },
      }),
    );
    expect(refusal).toMatchObject({ code: 'REPLICA_LAG_UNKNOWN' });
    expect(refusal.hint).toContain('GRANT pg_read_all_stats TO deployer;');
  } finally {
    await database.close();
  }
});

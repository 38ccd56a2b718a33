import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { fleetStatus } from '../../../src/core/fleet/status.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { startPostgres, startStandby, type PostgresServer } from '../../support/postgres-programs.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { createTable } from '../../support/project.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

/*
 * A standby that becomes the primary and lacks the latest commits. Both servers are the tests' own.
 */

const ORGANIZATIONS = Array.from({ length: 20 }, (_, nth) => `org_${nth}`);

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
  standby = await startStandby(primary);
}, 120_000);

afterAll(async () => {
  await standing?.close();
  await standby?.stop();
  await primary?.stop();
}, 60_000);

function built() {
  if (standing === undefined || primary === undefined || standby === undefined)
    throw new Error('The fleet could not be built.');
  return { fleet: standing.fleet, primary, standby };
}

async function ask(url: string, ...texts: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}

/** An address that leads to one server, and after `lead` to another. */
async function address(port: number) {
  let to = port;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return {
    port: (server.address() as AddressInfo).port,
    lead(next: number) {
      to = next;
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('when a standby without the latest commits takes over, status and the next run speak of what it holds', async () => {
  const { fleet, primary: first, standby: second } = built();
  await fleet.add('2_more.sql', '-- migrate:up\nINSERT INTO notes VALUES (1);\nSELECT pg_sleep(0.02);\n');
  await ask(second.url, `ALTER SYSTEM SET primary_conninfo = ''`, 'SELECT pg_reload_conf()');
  await sleep(300);
  const way = await address(first.port);
  const settings = { ...fleet.testDatabase.settings, host: '127.0.0.1', port: way.port };
  if (settings.kind !== 'server') throw new Error('a server');
  const database = await openDatabase(settings, { maxConnections: 4 });
  onTestFinished(() => database.close());
  const options = { folder: fleet.project.tenants, masterFolder: fleet.project.master };
  let promoted: Promise<void> | undefined;
  const warnings: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'warning') warnings.push(event.message);
    if (event.type !== 'tenant' || event.done !== 8) return;
    way.lead(second.port);
    promoted = ask(second.url, 'SELECT pg_promote()');
  };
  const result = await migrateTenants(database, { ...options, observe });
  await promoted;

  expect(result.totals).toMatchObject({ selected: 20, failed: 0 });
  const behind = result.fleet?.behind ?? 0;
  expect(behind).toBeGreaterThan(0);
  expect(warnings).toEqual([
    expect.stringMatching(
      new RegExp(`^${behind} tenants? w.* up to date during this run and .* so no longer`),
    ),
  ]);

  const status = await fleetStatus(database, {
    masterFolder: fleet.project.master,
    tenantFolder: options.folder,
  });
  expect(status.tenants).toMatchObject({ upToDate: 20 - behind, behind });
  const again = await migrateTenants(database, options);
  expect(again.totals).toMatchObject({ changed: behind, upToDate: 20 - behind, failed: 0 });
}, 60_000);

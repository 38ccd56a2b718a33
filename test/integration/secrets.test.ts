import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { rehearseTenants } from '../../src/core/commands/rehearse.ts';
import { readTenantCheck } from '../../src/core/rollout/tenant-check.ts';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase, type TestServerDatabase } from '../support/database.ts';
import { fleetOn, resultOf, type TestFleet } from '../support/fleet.ts';
import {
  CANARY,
  everythingOf,
  FRAGMENT,
  leakyMigration,
  leakyModule,
  LEAKS,
  STRAY,
} from '../support/leaks.ts';
import { createTable, usualProject } from '../support/project.ts';
import { refusalOf } from '../support/refusal.ts';
import { createOwner } from '../support/role.ts';

const AWAITED = Object.entries(LEAKS).filter(([name]) => !STRAY.includes(name));

/** One tenant, in a database that the library is logged in to with the canary. */
async function ownedFleet(): Promise<TestFleet> {
  const testDatabase = await createDatabase();
  const { name } = await createOwner(testDatabase, CANARY);
  const database = await openDatabase(
    { ...testDatabase.settings, user: name, password: CANARY },
    { maxConnections: 3 },
  );
  onTestFinished(() => database.close());
  const project = await usualProject();
  await migrateMaster(database, { folder: project.master });
  const fleet = fleetOn(testDatabase, database, project);
  await fleet.provision('org_a');
  return fleet;
}

/** Every row of every table that tenantctl keeps. */
async function remembered(testDatabase: TestServerDatabase): Promise<string> {
  const tables = await testDatabase.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'tenantctl'`,
  );
  expect(tables.length).toBeGreaterThan(4);
  const rows = await Promise.all(
    tables.map(({ name }) => testDatabase.query(`SELECT t::text FROM ${name} t`)),
  );
  return JSON.stringify(rows);
}

/** The usual tenant migrations and one more, in a folder of their own: a module is loaded once under a name. */
async function folderWith(fleet: TestFleet, name: string, file: string, text: string): Promise<string> {
  const path = `folders/${name}`;
  await fleet.project.write(`${path}/20250101000001_notes.sql`, createTable('notes'));
  await fleet.project.write(`${path}/20250101000002_tags.sql`, createTable('tags'));
  await fleet.project.write(`${path}/${file}`, text);
  return join(fleet.project.folder, path);
}

describe('a password that a migration gives away', () => {
  test('is in no error of the library, however it is looked at, and in nothing that is remembered', async () => {
    const fleet = await ownedFleet();
    const seen: { name: string; code: string | undefined; tells: boolean }[] = [];
    for (const [name, body] of AWAITED) {
      const folder = await folderWith(fleet, name, '3_leak.mjs', leakyMigration(body));
      const events: unknown[] = [];

      const dry = await rehearseTenants(fleet.database, { folder });
      const result = await fleet.migrate({ folder, observe: (event) => events.push(event) });

      const { error } = resultOf(result, 'org_a');
      const everything = everythingOf(error) + everythingOf([dry, result, events]);
      seen.push({ name, code: error?.code, tells: everything.includes(FRAGMENT) });
    }
    expect(seen).toEqual(AWAITED.map(([name]) => ({ name, code: 'MIGRATION_FAILED', tells: false })));
    const kept = await remembered(fleet.testDatabase);
    expect(kept).toContain('MIGRATION_FAILED');
    expect(kept).not.toContain(FRAGMENT);
    expect(everythingOf(await fleet.status())).not.toContain(FRAGMENT);
  });

  test('is not told where its file cannot be loaded, nor where it runs outside a transaction', async () => {
    const fleet = await ownedFleet();
    const module = await folderWith(fleet, 'module', '3_leak.mjs', leakyModule());
    const outside = await folderWith(
      fleet,
      'outside',
      '3_leak.mjs',
      leakyMigration('throw new Error(secret);', 'export const config = { transaction: false };'),
    );

    const notLoaded = await refusalOf(fleet.migrate({ folder: module }));
    const failed = resultOf(await fleet.migrate({ folder: outside }), 'org_a').error;

    expect(notLoaded.code).toBe('MIGRATION_INVALID');
    expect(failed?.code).toBe('MIGRATION_FAILED');
    expect(everythingOf([notLoaded, failed, await remembered(fleet.testDatabase)])).not.toContain(FRAGMENT);
  });
});

test('a password that a query gives away is in no error, nor is one that a check holds', async () => {
  const fleet = await ownedFleet();
  const quoted = CANARY.replaceAll("'", "''");
  await fleet.project.write('check.sql', `SELECT * FROM notes WHERE '${quoted}'::int = 1`);
  const check = await readTenantCheck(join(fleet.project.folder, 'check.sql'));
  await fleet.add('20250101000003_links.sql', createTable('links'));

  const query = await refusalOf(fleet.database.query(`SELECT '${quoted}'::int`));
  const { tenants } = await fleet.migrate({ rollout: { check } });

  expect(query).toMatchObject({ code: 'DATABASE_ERROR', sqlstate: '22P02' });
  expect(tenants[0]?.error).toMatchObject({ code: 'CHECK_REFUSED', sqlstate: '22P02' });
  expect(everythingOf([query, tenants])).not.toContain(FRAGMENT);
});

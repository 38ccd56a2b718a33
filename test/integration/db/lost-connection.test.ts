import { expect, onTestFinished, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createFleet } from '../../support/fleet.ts';
import { createTable, knexMigration } from '../../support/project.ts';

/** A fleet behind a proxy that cuts one connection, once, after the server has answered. */
async function behindProxy(name: string, migration: string) {
  const fleet = await createFleet(['org_a']);
  await fleet.add(name, migration);
  const proxy = await cuttingProxy(fleet.testDatabase.settings);
  const database = await openDatabase(proxy.settings, { maxConnections: 5 });
  onTestFinished(() => database.close());
  const migrate = (retries?: number) =>
    migrateTenants(database, { folder: fleet.project.tenants, masterFolder: fleet.project.master, retries });
  return { fleet, proxy, migrate };
}

const KNEX = knexMigration(`await knex('notes').insert({ id: 1 });`);

test('a connection that is lost in the middle of a Knex statement is told as such', async () => {
  const { proxy, migrate } = await behindProxy('3_insert.js', KNEX);
  proxy.cutAfter('insert into "notes"', 'INSERT 0 1');
  const { tenants } = await migrate(0);
  expect(proxy.cuts).toBe(1);
  expect(tenants[0]?.error?.sqlstate).toBeUndefined();
  expect(tenants[0]?.error).toMatchObject({
    code: 'DATABASE_ERROR',
    message: expect.stringContaining('The connection to the server was lost') as string,
    hint: expect.stringContaining('Nothing is half done') as string,
  });
  expect(tenants[0]?.error?.migration).toBeUndefined();
});

test.each([
  ['in the middle of a Knex statement', '3_insert.js', KNEX, 'insert into "notes"', 'INSERT 0 1'],
  ['at an early statement of the registry', '3_more.sql', createTable('more'), 'pg_attribute', 'SELECT 1'],
  [
    'when the run is entered into the ledger',
    '3_more.sql',
    createTable('more'),
    'INSERT INTO tenantctl.runs',
    'INSERT 0 1',
  ],
])(
  'a connection that is lost %s is replaced, and the work is done',
  async (_, name, migration, sent, tag) => {
    const { fleet, proxy, migrate } = await behindProxy(name, migration);
    proxy.cutAfter(sent, tag);
    const { totals } = await migrate();
    expect(proxy.cuts).toBe(1);
    expect(totals).toMatchObject({ changed: 1, failed: 0 });
    expect(await fleet.history('org_a')).toContain(`${name}@2`);
  },
);

import { expect, onTestFinished, test, vi } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { rollbackTenants } from '../../../src/core/commands/rollback-tenants.ts';
import { fleetStatus } from '../../../src/core/fleet/status.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { createDatabase } from '../../support/database.ts';
import { refusalOf } from '../../support/refusal.ts';
import { usualProject } from '../../support/project.ts';
import { createOwner } from '../../support/role.ts';

const TENANTS = Array.from({ length: 10 }, (_, n) => `org_${n}`);

/** A migration with a foreign key, for which the guard asks on a second connection; and one outside a transaction. */
const FILES = {
  '3_x.sql':
    '-- migrate:up\nCREATE TABLE x (id int, country text REFERENCES public.countries);\n-- migrate:down\nDROP TABLE x;\n',
  '4_index.sql':
    '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY xi ON x (id);\n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY xi;\n',
};

test("a run gets by with the connections that the role may have, the run's own counted in", async () => {
  const testDatabase = await createDatabase();
  const { name } = await createOwner(testDatabase, 'x');
  const project = await usualProject({
    'migrations/master/2_countries.sql':
      '-- migrate:up\nCREATE TABLE public.countries (code text PRIMARY KEY);\n',
  });
  const folder = project.tenants;
  const open = async (maxConnections: number) => {
    const database = await openDatabase(
      { ...testDatabase.settings, user: name, password: 'x' },
      { maxConnections },
    );
    onTestFinished(() => database.close());
    return database;
  };
  const first = await open(7);
  await migrateMaster(first, { folder: project.master });
  await provisionTenants(first, TENANTS, { folder });
  await first.close();
  for (const [file, text] of Object.entries(FILES)) await project.write(`migrations/tenants/${file}`, text);

  for (const [limit, concurrency, warns] of [
    [5, undefined, false],
    [4, undefined, false],
    [3, undefined, false],
    [3, 2, true],
  ] as const) {
    await testDatabase.query(`ALTER ROLE ${name} CONNECTION LIMIT ${limit}`);
    // Connections that were closed still count until the server has ended them.
    await vi.waitUntil(async () => {
      const rows = await testDatabase.query('SELECT FROM pg_stat_activity WHERE usename = $1', [name]);
      return rows.length === 0;
    });
    const database = await open((concurrency ?? 4) + 3);
    const warnings: string[] = [];
    const options = {
      folder,
      concurrency,
      retries: 0,
      observe: (event: { readonly type: string; readonly message?: string }) =>
        void (event.type === 'warning' && warnings.push(event.message ?? '')),
    };
    const seen = [limit, concurrency];
    const { totals, tenants } = await migrateTenants(database, options);
    expect([...seen, tenants.flatMap(({ error }) => error?.message ?? [])]).toEqual([...seen, []]);
    expect(totals.changed).toBe(TENANTS.length);
    expect(warnings.some((warning) => warning.includes('It is lowered to 1.'))).toBe(warns);
    // Without stamps every history is read, several at once.
    await testDatabase.query('DELETE FROM tenantctl.stamps');
    expect((await fleetStatus(database, { tenantFolder: folder })).tenants).toMatchObject({
      upToDate: TENANTS.length,
    });
    const back = await rollbackTenants(database, options);
    expect([...seen, back.tenants.flatMap(({ error }) => error?.message ?? [])]).toEqual([...seen, []]);
    expect(await refusalOf(migrateTenants(database, { folder, concurrency: limit + 1 }))).toMatchObject({
      code: 'CONCURRENCY_TOO_HIGH',
      message: expect.stringContaining(`${limit} of the server's`),
    });
    await database.close();
  }
});

import { expect, test } from 'vitest';
import { migrateMaster } from '../../src/core/master.ts';
import { migrateTenants } from '../../src/core/migrate-tenants.ts';
import { provisionTenants } from '../../src/core/provision.ts';
import { createDatabase } from '../support/database.ts';
import { createTable, usualProject } from '../support/project.ts';

test('pending migrations reach every ACTIVE tenant, with one history row each', async () => {
  const project = await usualProject();
  const testDatabase = await createDatabase();
  const database = await testDatabase.open();
  await migrateMaster(database, { folder: project.master });
  await provisionTenants(database, ['org_a', 'org_b', 'org_c'], { folder: project.tenants });
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));

  const result = await migrateTenants(database, { folder: project.tenants, masterFolder: project.master });

  expect(result.totals).toEqual({ selected: 3, upToDate: 0, changed: 3, failed: 0, skipped: 0 });
  const tables = await testDatabase.query(
    `SELECT count(*)::int AS n FROM pg_tables WHERE tablename = 'links' AND schemaname LIKE 'tid_%'`,
  );
  expect(tables).toEqual([{ n: 3 }]);
});

import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { createCitusDatabase } from './citus.ts';
import { fleetOn, type TestFleet } from './fleet.ts';
import { createTable, usualProject } from './project.ts';

/** A fleet on the nodes of a cluster; its tables have keys as Knex makes them. */
export async function createCitusFleet(organizations: readonly string[]): Promise<TestFleet> {
  const project = await usualProject({
    'migrations/tenants/20250101000001_notes.sql': createTable('notes', 'id serial PRIMARY KEY, n int'),
  });
  const testDatabase = await createCitusDatabase();
  const fleet = fleetOn(testDatabase, await testDatabase.open(), project);
  await migrateMaster(fleet.database, { folder: project.master });
  for (const { error } of organizations.length === 0 ? [] : await fleet.provision(...organizations))
    if (error !== undefined) throw error;
  return fleet;
}

import { onTestFinished } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase } from './database.ts';
import { fleetOn, type TestFleet } from './fleet.ts';
import { startPgBouncer, type PgBouncer, type PgBouncerOptions } from './pgbouncer.ts';
import { usualProject, type TestProject } from './project.ts';
import type { Database, ServerSettings } from '../../src/db/database.ts';

/** A fleet that tenantctl reaches only through PgBouncer; its `query` goes to the server. */
export interface PooledFleet extends TestFleet {
  readonly pooler: PgBouncer;
}

export interface PooledOptions extends PgBouncerOptions {
  readonly project?: TestProject;
  readonly direct?: boolean;
  readonly maxConnections?: number;
}

/** Provisions these organizations in a new database through PgBouncer. */
export async function createPooledFleet(
  organizations: readonly string[],
  options: PooledOptions = {},
): Promise<PooledFleet> {
  const project = options.project ?? (await usualProject());
  const testDatabase = await createDatabase();
  const pooler = await startPgBouncer(testDatabase, options);
  const { kind: _, ...direct } = testDatabase.settings;
  const database = await openPooled(
    { ...pooler.settings, ...(options.direct === true && { direct }) },
    options.maxConnections,
  );
  await migrateMaster(database, { folder: project.master });
  const fleet = fleetOn(testDatabase, database, project);
  for (const { error } of await fleet.provision(...organizations)) if (error !== undefined) throw error;
  return { ...fleet, pooler };
}

/** Opens a database for a test; closed before the server drops it. */
export async function openPooled(settings: ServerSettings, maxConnections = 7): Promise<Database> {
  const database = await openDatabase(settings, { maxConnections });
  onTestFinished(() => database.close());
  return database;
}

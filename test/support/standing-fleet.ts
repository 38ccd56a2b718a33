import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { inject } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { openDatabase } from '../../src/db/open.ts';
import { envOf, settingsOf, type TestServerDatabase } from './database.ts';
import { fleetOn, type TestFleet } from './fleet.ts';
import { createStandingProject } from './project.ts';
import { createQueries } from './queries.ts';

/** A fleet shared by a file's tests, for a beforeAll, where createFleet does not work. */
export interface StandingFleet {
  readonly fleet: TestFleet;
  /** Drops the database and the folder, in the afterAll. */
  close(): Promise<void>;
}

/**
 * Creates a database and a project with these files, and provisions the organizations.
 * @param serverUrl the test server if absent
 */
export async function standingFleet(
  organizations: readonly string[],
  files: Readonly<Record<string, string>>,
  serverUrl: string = inject('serverUrl'),
): Promise<StandingFleet> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(serverUrl);
  await asOwner(url.href, `CREATE DATABASE ${name}`);
  url.pathname = name;
  const settings = settingsOf(url);
  const database = await openDatabase(settings, { maxConnections: 6 });
  const queries = createQueries(url.href);
  const project = await createStandingProject(files);
  const testDatabase: TestServerDatabase = {
    settings,
    url: url.href,
    env: envOf(settings),
    open: () => Promise.resolve(database),
    query: queries.query,
  };
  const fleet = fleetOn(testDatabase, database, project);
  await migrateMaster(database, { folder: project.master });
  for (const { error } of await fleet.provision(...organizations)) if (error !== undefined) throw error;
  return {
    fleet,
    async close() {
      await queries.close();
      await database.close();
      await rm(project.folder, { recursive: true, force: true });
      await asOwner(
        serverUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
        `DROP DATABASE ${name}`,
      );
    },
  };
}

async function asOwner(url: string, ...texts: string[]): Promise<void> {
  const queries = createQueries(url);
  try {
    for (const text of texts) await queries.query(text);
  } finally {
    await queries.close();
  }
}

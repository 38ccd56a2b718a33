import { inject, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import type { Database } from '../../src/db/database.ts';
import { makeCitusDatabase } from './citus-database.ts';
import { envOf, settingsOf, type TestServerDatabase } from './database.ts';
import { createQueries } from './queries.ts';

/** A database of its own on the cluster of the tests; dropped when the test ends. */
export async function createCitusDatabase(): Promise<TestServerDatabase> {
  const { url, drop } = await makeCitusDatabase(inject('citusUrl'), inject('citusPlaces'));
  const opened: Database[] = [];
  const queries = createQueries(url);
  onTestFinished(async () => {
    await queries.close();
    for (const database of opened) await database.close();
    await drop();
  });
  const settings = settingsOf(new URL(url));
  return {
    settings,
    url,
    env: envOf(settings),
    async open(maxConnections = 6, names) {
      const database = await openDatabase(settings, { maxConnections, names });
      opened.push(database);
      return database;
    },
    query: queries.query,
  };
}

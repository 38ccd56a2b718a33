import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';

/** Holds one of tenantctl's advisory locks like another run: "master", or "tenant:<schema>". */
export async function holdLock(
  testDatabase: TestServerDatabase,
  name: string,
): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: testDatabase.url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`tenantctl:${name}`]);
  return {
    async release() {
      await client.query('ROLLBACK');
    },
  };
}

import { withDatabase } from '../../src/db/open.ts';
import { schemaNameFor } from '../../src/index.ts';

const USERS = `${schemaNameFor('org_globex')}.org_users`;

export const NAMELESS = `INSERT INTO ${USERS} (clerk_user_id, email) VALUES ('user_1', 'ann@globex.example');`;
export const NAMED = `UPDATE ${USERS} SET display_name = 'Ann' WHERE display_name IS NULL;`;

/** Runs SQL as the application would, on the demo's database. */
export async function runSql(directory: string, sql: string): Promise<void> {
  const settings = { kind: 'embedded', directory, lockWaitMs: 10_000 } as const;
  await withDatabase(settings, { maxConnections: 1 }, (database) => database.query(sql));
}

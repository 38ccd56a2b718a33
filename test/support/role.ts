import { escapeLiteral } from 'pg';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';

/** A role with ORIGIN.md's rights: a password, all privileges on the database, owner of `public`. */
export async function createOwner(
  testDatabase: TestServerDatabase,
  password: string,
): Promise<{ readonly name: string; readonly env: Readonly<Record<string, string>> }> {
  const name = testDatabase.settings.database.replace('test_', 'dev_');
  await testDatabase.query(`CREATE USER ${name} WITH PASSWORD ${escapeLiteral(password)}`);
  onTestFinished(async () => {
    await testDatabase.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await testDatabase.query(`DROP OWNED BY ${name}`);
    await testDatabase.query(`DROP USER ${name}`);
  });
  await testDatabase.query(`GRANT ALL PRIVILEGES ON DATABASE ${testDatabase.settings.database} TO ${name}`);
  await testDatabase.query(`ALTER SCHEMA public OWNER TO ${name}`);
  return { name, env: { ...testDatabase.env, DB_USER: name, DB_PASSWORD: password } };
}

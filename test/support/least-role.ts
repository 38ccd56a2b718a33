import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject, onTestFinished } from 'vitest';
import type { Database, ServerSettings } from '../../src/db/connection.ts';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase, type TestServerDatabase } from './database.ts';

/** A database, and a role that works in it with no more rights than docs/operations.md gives it. */
export interface LeastRole {
  readonly testDatabase: TestServerDatabase;
  readonly name: string;
  /** As that role. */
  readonly settings: ServerSettings;
  readonly env: Readonly<Record<string, string>>;
  /** A name for a role that no other test has; all roles whose names begin with it are dropped at the end. */
  readonly prefix: string;
  open(maxConnections?: number): Promise<Database>;
  /** Runs statements logged in as another role, which is given the right to log in for it. */
  logInAs<Row extends object = Record<string, unknown>>(
    role: string,
    ...statements: string[]
  ): Promise<Row[]>;
}

/** @param attributes of the role beside LOGIN, CREATEROLE say */
export async function createLeastRole(attributes = ''): Promise<LeastRole> {
  const prefix = `r${randomBytes(5).toString('hex')}`;
  const name = `${prefix}_ctl`;
  const password = 'least';
  // Hooks run last first: the database with what the roles own in it goes before them.
  onTestFinished(() => dropRoles(prefix));
  const testDatabase = await createDatabase();
  await testDatabase.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}' ${attributes}`);
  await testDatabase.query(`GRANT CREATE ON DATABASE ${testDatabase.settings.database} TO ${name}`);
  await testDatabase.query(`ALTER SCHEMA public OWNER TO ${name}`);
  await testDatabase.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const settings = { ...testDatabase.settings, user: name, password };
  const opened: Database[] = [];
  onTestFinished(async () => {
    for (const database of opened) await database.close();
  });
  return {
    testDatabase,
    name,
    settings,
    env: { ...testDatabase.env, DB_USER: name, DB_PASSWORD: password },
    prefix,
    async open(maxConnections = 5) {
      const database = await openDatabase(settings, { maxConnections });
      opened.push(database);
      return database;
    },
    async logInAs<Row extends object>(role: string, ...statements: string[]) {
      await testDatabase.query(`ALTER ROLE "${role}" LOGIN PASSWORD '${password}'`);
      const { host, port, database } = testDatabase.settings;
      const client = new Client({ host, port, database, user: role, password });
      await client.connect();
      try {
        let rows: Row[] = [];
        for (const statement of statements) ({ rows } = await client.query<Row>(statement));
        return rows;
      } finally {
        await client.end();
      }
    },
  };
}

async function dropRoles(prefix: string): Promise<void> {
  const client = new Client({ connectionString: inject('serverUrl') });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT quote_ident(rolname) AS name FROM pg_roles WHERE starts_with(rolname::text, $1)`,
      [prefix],
    );
    // What has been granted to them beside: CREATE on other databases, say, there is none.
    for (const { name } of rows) await client.query(`DROP ROLE ${name}`);
  } finally {
    await client.end();
  }
}

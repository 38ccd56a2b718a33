import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase, type TestServerDatabase } from './database.ts';
import type { Database, ServerSettings } from '../../src/db/database.ts';

/** A database, and a role with no more rights than docs/operations.md grants. */
export interface LeastRole {
  readonly testDatabase: TestServerDatabase;
  readonly name: string;
  readonly settings: ServerSettings;
  readonly env: Readonly<Record<string, string>>;
  /** Unique prefix for role names; all such roles are dropped at the end. */
  readonly prefix: string;
  open(maxConnections?: number): Promise<Database>;
  /** Runs statements logged in as another role, which is granted LOGIN. */
  logInAs<Row extends object = Record<string, unknown>>(
    role: string,
    ...statements: string[]
  ): Promise<Row[]>;
}

/** The SQL of docs/operations.md: for every role, and additionally for TENANT_ROLE. */
async function documentedRights(): Promise<[string, string]> {
  const page = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const [, section = ''] = /^## Privileges\n([^]*?)^### /m.exec(page) ?? [];
  const [rights, ofTenantRole] = [...section.matchAll(/^```sql\n([^]*?)^```/gm)].map(([, sql = '']) => sql);
  if (rights === undefined || ofTenantRole === undefined)
    throw new Error('docs/operations.md has no SQL under Privileges');
  return [rights, ofTenantRole];
}

/** Runs the SQL of docs/operations.md. @param attributes CREATEROLE: includes what TENANT_ROLE needs */
export async function createLeastRole(attributes: '' | 'CREATEROLE' = ''): Promise<LeastRole> {
  const prefix = `r${randomBytes(5).toString('hex')}`;
  const name = `${prefix}_ctl`;
  const password = 'least';
  // Hooks run in reverse order: the database with the roles' objects is dropped first.
  onTestFinished(() => dropRoles(prefix));
  const testDatabase = await createDatabase();
  const [rights, ofTenantRole] = await documentedRights();
  for (const block of attributes === 'CREATEROLE' ? [rights, ofTenantRole] : [rights]) {
    await testDatabase.query(
      block
        .replaceAll(/\bmigrator\b/g, name)
        .replaceAll(/\bapp\b/g, testDatabase.settings.database)
        .replaceAll('change me', password),
    );
  }
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
    // There are no other grants, such as CREATE on other databases.
    for (const { name } of rows) await client.query(`DROP ROLE ${name}`);
  } finally {
    await client.end();
  }
}

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import { createDatabase, type TestServerDatabase } from './database.ts';
import type { Database, ServerSettings } from '../../src/db/database.ts';

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

/** The SQL of docs/operations.md: what every role needs, and what TENANT_ROLE needs beside it. */
async function documentedRights(): Promise<[string, string]> {
  const page = await readFile(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const [, section = ''] = /^## Privileges\n([^]*?)^### /m.exec(page) ?? [];
  const [rights, ofTenantRole] = [...section.matchAll(/^```sql\n([^]*?)^```/gm)].map(([, sql = '']) => sql);
  if (rights === undefined || ofTenantRole === undefined)
    throw new Error('docs/operations.md has no SQL under Privileges');
  return [rights, ofTenantRole];
}

/** Made by the very SQL of docs/operations.md. @param attributes CREATEROLE: with what TENANT_ROLE needs */
export async function createLeastRole(attributes: '' | 'CREATEROLE' = ''): Promise<LeastRole> {
  const prefix = `r${randomBytes(5).toString('hex')}`;
  const name = `${prefix}_ctl`;
  const password = 'least';
  // Hooks run last first: the database with what the roles own in it goes before them.
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
    // What has been granted to them beside: CREATE on other databases, say, there is none.
    for (const { name } of rows) await client.query(`DROP ROLE ${name}`);
  } finally {
    await client.end();
  }
}

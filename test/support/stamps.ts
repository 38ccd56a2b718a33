import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, onTestFinished } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TestServerDatabase } from './database.ts';
import type { TestFleet } from './fleet.ts';
import { commonJs } from './knex-project.ts';
import { INIT_SQL } from './init-sql.ts';

/** Migrations that can be applied twice: the next run repairs a history with a missing row. */
export const FORGIVING = {
  'package.json': '{"name":"forgiving"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/tenants/1_notes.js': ifMissing('notes'),
  'migrations/tenants/2_tags.js': ifMissing('tags'),
};

/** A migration that creates a table if it is missing; plain Knex can apply it too. */
export function ifMissing(table: string): string {
  return commonJs(
    `await knex.raw('CREATE TABLE IF NOT EXISTS ${table} (id int PRIMARY KEY)');`,
    `await knex.raw('DROP TABLE IF EXISTS ${table}');`,
  );
}

export function historyOf(organization: string): string {
  return `${schemaNameFor(organization)}.knex_migrations_tenant`;
}

export async function session(fleet: Pick<TestFleet, 'testDatabase'>): Promise<Client> {
  const client = new Client({ connectionString: fleet.testDatabase.url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** Locks these organizations' histories: readers wait until the lock is released. */
export async function hideHistories(
  fleet: TestFleet,
  organizations: readonly string[],
): Promise<{ show(): Promise<void> }> {
  const client = await session(fleet);
  const tables = organizations.flatMap((id) => [historyOf(id), `${historyOf(id)}_lock`]);
  await client.query('BEGIN');
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
  return {
    async show() {
      await client.query('ROLLBACK');
    },
  };
}

/** Fails if the work takes more than thirty seconds, as when waiting for a lock. */
export async function promptly<T>(work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const alarm = sleep(30_000, undefined, { signal: late.signal }).then(
    () => {
      throw new Error('There is no answer: a history is read, or waited for, that nobody touched.');
    },
    () => undefined as never,
  );
  try {
    return await Promise.race([work, alarm]);
  } finally {
    late.abort();
  }
}

/** The organizations with a valid stamp. */
export async function stamped(fleet: TestFleet): Promise<string[]> {
  const rows = await fleet.query<{ id: string }>(
    `SELECT clerk_org_id AS id FROM tenants JOIN tenantctl.trusted_stamps USING (schema_name) ORDER BY 1`,
  );
  return rows.map(({ id }) => id);
}

/** Asserts that status reports what each history table contains. */
export async function expectTruth(fleet: TestFleet, ...organizations: string[]): Promise<void> {
  const { states } = await fleet.status({ listAll: true });
  for (const id of organizations) {
    const state = states.find(({ tenant }) => tenant.clerkOrgId === id);
    const rows = await fleet.query<{ name: string; batch: number }>(
      `SELECT name, coalesce(batch, 0) AS batch FROM ${historyOf(id)} ORDER BY 2, id`,
    );
    expect(state?.history.entries, `what status says of ${id}`).toEqual(
      rows.map(({ name, batch }) => ({ name, batch })),
    );
  }
}

/** A role without rights, dropped with all its grants when the test ends. */
export async function createRole(testDatabase: TestServerDatabase): Promise<string> {
  const name = `role_${randomBytes(6).toString('hex')}`;
  await testDatabase.query(`CREATE ROLE ${name} LOGIN`);
  onTestFinished(async () => {
    await testDatabase.query(`REASSIGN OWNED BY ${name} TO CURRENT_USER`);
    await testDatabase.query(`DROP OWNED BY ${name}`);
    await testDatabase.query(`DROP ROLE ${name}`);
  });
  return name;
}

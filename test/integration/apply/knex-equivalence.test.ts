import { join } from 'node:path';
import createKnex from 'knex';
import { expect, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { rollbackTenants } from '../../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { catalogOf, contentOf } from '../../support/catalog.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';

const MIGRATIONS = join(import.meta.dirname, '../../fixtures/knex-project/migrations');
const SCHEMA = schemaNameFor('org_a');

/** Runs a Knex of its own on one tenant schema, as people did before. */
async function withKnex<T>(
  testDatabase: TestServerDatabase,
  use: (migrate: Migrate) => Promise<T>,
): Promise<T> {
  const knex = createKnex({ client: 'pg', connection: testDatabase.url, searchPath: [SCHEMA, 'public'] });
  const config = { directory: MIGRATIONS, tableName: 'knex_migrations_tenant', schemaName: SCHEMA };
  try {
    return await use({
      latest: () => knex.migrate.latest(config) as Promise<[number, string[]]>,
      rollbackAll: () => knex.migrate.rollback(config, true) as Promise<[number, string[]]>,
    });
  } finally {
    await knex.destroy();
  }
}

interface Migrate {
  latest(): Promise<[number, string[]]>;
  rollbackAll(): Promise<[number, string[]]>;
}

/**
 * What a tenant's schema holds; times and random values aside, wherever an extension's functions live, and without the
 * triggers on the history and their function, which are tenantctl's own.
 */
function ofTenant(lines: readonly string[]): string[] {
  return lines
    .filter(
      (line) =>
        line.includes(SCHEMA) && !/^(extension|row public|row tenantctl)|tenantctl_unstamp/.test(line),
    )
    .map((line) =>
      line
        .replaceAll(`${SCHEMA}.uuid_generate_v4()`, 'uuid_generate_v4()')
        .replaceAll(/"(created_at|updated_at|migration_time|id)": ("[^"]*"|\d+)/g, '"$1": …')
        .replaceAll(/"batch": \d+/g, '"batch": …'),
    )
    .toSorted();
}

test("a Knex project's migrations make of a tenant what Knex itself makes of it, rows included", async () => {
  const byKnex = await createDatabase();
  await byKnex.query(`CREATE SCHEMA ${SCHEMA}`);
  await withKnex(byKnex, (migrate) => migrate.latest());

  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.rollback({ extent: { all: true } });
  const result = await migrateTenants(fleet.database, { folder: MIGRATIONS });

  expect(result.totals).toMatchObject({ changed: 3, failed: 0 });
  expect(ofTenant(await contentOf(fleet.testDatabase))).toEqual(ofTenant(await contentOf(byKnex)));
});

test('what tenantctl has applied, Knex finds complete and can undo; what it undoes leaves nothing', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.rollback({ extent: { all: true } });
  const before = ofTenant(await catalogOf(fleet.testDatabase));
  await migrateTenants(fleet.database, { folder: MIGRATIONS });

  const [, applied] = await withKnex(fleet.testDatabase, (migrate) => migrate.latest());
  expect(applied).toEqual([]);
  const [, undone] = await withKnex(fleet.testDatabase, (migrate) => migrate.rollbackAll());
  expect(undone).toHaveLength(13);
  expect(ofTenant(await catalogOf(fleet.testDatabase))).toEqual(before);

  await migrateTenants(fleet.database, { folder: MIGRATIONS });
  const rolledBack = await rollbackTenants(fleet.database, { folder: MIGRATIONS, extent: { all: true } });
  expect(rolledBack.tenants[0]?.names).toHaveLength(13);
  expect(ofTenant(await catalogOf(fleet.testDatabase))).toEqual(before);
});

import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';
import { REMEMBERED_FAILURES } from '../../support/remember.ts';

const UNIQUE_TAGS = [
  '3_unique.sql',
  '-- migrate:up\nALTER TABLE tags ADD CONSTRAINT tags_one EXCLUDE (id WITH =);\nALTER TABLE notes ADD CHECK (id > 0);',
] as const;

/** Three tenants, of which org_b holds a row that the next migration cannot take. */
async function oneWillFail(): Promise<TestFleet> {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_b')}.notes VALUES (-1)`);
  await fleet.add(...UNIQUE_TAGS);
  return fleet;
}

test("one tenant's failure is that tenant's: the others are migrated, and it is where it was", async () => {
  const fleet = await oneWillFail();
  await fleet.add('4_links.sql', createTable('links'));
  const result = await fleet.migrate();
  expect(result.totals).toEqual({ selected: 3, upToDate: 0, changed: 2, failed: 1, skipped: 0 });
  expect(resultOf(result, 'org_b')).toMatchObject({ outcome: 'failed', names: [] });
  expect(await fleet.history('org_b')).toHaveLength(2);
  expect(await fleet.tables('org_b')).toEqual(['notes', 'tags']);
  expect(await fleet.history('org_c')).toHaveLength(4);
  const registry = await fleet.query(`SELECT DISTINCT status FROM tenants`);
  expect(registry).toEqual([{ status: 'ACTIVE' }]);
});

test('the failure is kept, shown by status, and gone after a success', async () => {
  const fleet = await oneWillFail();
  await fleet.migrate();
  const kept = await fleet.query(
    `SELECT schema_name, command, error ->> 'sqlstate' AS code FROM (${REMEMBERED_FAILURES}) f`,
  );
  expect(kept).toEqual([{ schema_name: schemaNameFor('org_b'), command: 'migrate tenants', code: '23514' }]);
  const status = await fleet.status();
  expect(status.tenants).toMatchObject({ total: 3, upToDate: 2, behind: 0, failed: 1 });
  const attention = status.states.filter((state) => state.attention !== undefined);
  expect(attention).toHaveLength(1);
  expect(attention[0]).toMatchObject({
    tenant: { clerkOrgId: 'org_b' },
    attention: { code: 'FAILED' },
    pending: ['3_unique.sql'],
    lastError: { code: 'MIGRATION_FAILED', sqlstate: '23514', migration: '3_unique.sql' },
  });

  await fleet.query(`DELETE FROM ${schemaNameFor('org_b')}.notes`);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 2, failed: 0 });
  expect(await fleet.query('SELECT * FROM tenantctl.tenant_failures')).toEqual([]);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, failed: 0 });
});

test('a failure that somebody else has mended is forgotten by the next run', async () => {
  const fleet = await oneWillFail();
  await fleet.migrate();
  await fleet.query(
    `INSERT INTO ${schemaNameFor('org_b')}.knex_migrations_tenant (name, batch) VALUES ('3_unique.sql', 2)`,
  );
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 3 });
  expect(await fleet.query('SELECT * FROM tenantctl.tenant_failures')).toEqual([]);
});

test('the error of an .sql file names tenant, file, SQLSTATE, statement, and shows where', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_bad.sql', '-- migrate:up\nSELECT 1;\nALTER TABEL notes ADD x int;');
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({
    code: 'MIGRATION_FAILED',
    message: 'syntax error at or near "TABEL"',
    tenant: 'org_a',
    migration: '3_bad.sql',
    sqlstate: '42601',
    statement: 'SELECT 1;\nALTER TABEL notes ADD x int;',
  });
  expect(error?.details).toEqual(['line 3: ALTER TABEL notes ADD x int;', '              ^']);
});

test("the error of a Knex migration has the server's words and the statement with placeholders, not the values", async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_bad.js',
    knexMigration(
      `await knex('notes').insert({ id: 1 }); await knex('notes').insert({ id: 1, secret: 's3cr3t' });`,
    ),
  );
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({
    message: 'column "secret" of relation "notes" does not exist',
    sqlstate: '42703',
    statement: 'insert into "notes" ("id", "secret") values ($1, $2)',
    migration: '3_bad.js',
  });
  expect(JSON.stringify(error)).not.toContain('s3cr3t');
});

test("an error that the JavaScript throws is the tenant's failure too, with its own message", async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_bad.js',
    knexMigration(`throw new TypeError('no plan for ' + knex.userParams.clerkOrgId);`),
  );
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({ message: 'no plan for org_a', migration: '3_bad.js' });
  expect(error?.cause).toBeInstanceOf(TypeError);
});

test('a file that cannot be loaded stops the run before it begins', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_fine.sql', createTable('fine'));
  await fleet.add('4_bad.js', 'export function up( {');
  expect(await refusalOf(fleet.migrate())).toMatchObject({
    code: 'MIGRATION_INVALID',
    migration: '4_bad.js',
  });
  expect(await fleet.tables('org_a')).not.toContain('fine');
});

test('a schema that is missing is reported with its tenant, and stops no other', async () => {
  const fleet = await createFleet(['org_a', "org_b's"]);
  await fleet.query(`DROP SCHEMA ${schemaNameFor("org_b's")} CASCADE`);
  await fleet.add('3_links.sql', createTable('links'));
  const result = await fleet.migrate();
  const { error } = resultOf(result, "org_b's");
  expect(error).toMatchObject({ code: 'SCHEMA_MISSING', tenant: "org_b's" });
  expect(resultOf(result, 'org_a').outcome).toBe('migrated');
  const [state] = (await fleet.status()).states.filter((each) => each.attention !== undefined);
  expect(state?.attention?.code).toBe('SCHEMA_MISSING');
  // The doctor's remedy is tried in doctor/registry.test.ts.
  expect(error?.hint).toContain('tenantctl doctor');
  await fleet.query(`UPDATE tenants SET status = 'ARCHIVED' WHERE clerk_org_id = 'org_b''s'`);
  expect((await fleet.migrate()).totals).toMatchObject({ failed: 0 });
});

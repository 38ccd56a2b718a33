import { expect, inject, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { rollbackTenants } from '../../../src/core/commands/rollback-tenants.ts';
import { fleetStatus } from '../../../src/core/fleet/status.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { queryTenants } from '../../../src/core/query/query-tenants.ts';
import { readRuns } from '../../../src/core/ledger/read-runs.ts';
import { createFleet } from '../../support/fleet.ts';
import { examine, failures } from '../doctor/examine.ts';

/** Schemas of an adopted registry, whose names need quotes or look like something else. */
const SCHEMAS = [
  'acme-corp',
  '7f3c1d2e-0000-4000-8000-000000000001',
  'Globex',
  'select',
  'user',
  'a.b',
  'with "quotes"',
  '"',
  'tab le',
  'Ünïcödé',
  'constructor',
  'pgx_own',
  'x'.repeat(63),
];

/** Settings of database and role that change how the server reads and prints. */
const SETTINGS = [
  'quote_all_identifiers = on',
  `datestyle = 'German'`,
  `intervalstyle = 'sql_standard'`,
  'standard_conforming_strings = off',
  `bytea_output = 'escape'`,
  `timezone = 'Asia/Kolkata'`,
  'extra_float_digits = -15',
  `default_transaction_isolation = 'serializable'`,
  `search_path = 'pg_temp'`,
  'check_function_bodies = off',
];

test('schemas of any name go through every mode, whatever database and role set', async () => {
  const fleet = await createFleet(['org_a']);
  const { query } = fleet;
  const { database: name } = fleet.testDatabase.settings;
  const timeouts = inject('serverVersion') >= 170_000 ? ['transaction_timeout = 1000'] : [];
  for (const setting of [...SETTINGS, ...timeouts]) await query(`ALTER DATABASE ${name} SET ${setting}`);
  await query('CREATE TABLE public.countries (code text PRIMARY KEY)');
  for (const schema of SCHEMAS) await query(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`);
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) SELECT 'of ' || s, s, 'ACTIVE' FROM unnest($1::text[]) s`,
    [SCHEMAS],
  );
  // The pool's connections were opened with the settings of before.
  const fresh = await fleet.testDatabase.open(6);
  const folder = fleet.project.tenants;
  const migrate = () => migrateTenants(fresh, { folder });
  const all = SCHEMAS.length + 1;

  await fleet.add(
    '31_tables.sql',
    `-- migrate:up
    CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN few AS int CHECK (VALUE < 9);
    CREATE TABLE "Order" (id serial PRIMARY KEY, mood mood, n few, country text REFERENCES public.countries, back text DEFAULT '\\');
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT pg_sleep(CASE current_schema() WHEN 'a.b' THEN 1.1 ELSE 0 END);
    -- migrate:down
    DROP FUNCTION f(); DROP TABLE "Order"; DROP DOMAIN few; DROP TYPE mood;\n`,
  );
  await fleet.add(
    '32_knex.cjs',
    `
    exports.up = async (knex) => {
      const { rows } = await knex.raw("SELECT now() AS now, interval '1 day 2 hours' AS span");
      if (!(rows[0].now instanceof Date) || rows[0].span.days !== 1) throw new Error('not read: ' + JSON.stringify(rows[0]));
      await knex.schema.createTable('user', (t) => { t.increments(); t.integer('order').references('id').inTable('Order'); });
    };
    exports.down = (knex) => knex.schema.dropTable('user');`,
  );
  await fleet.add(
    '33_index.sql',
    `-- migrate:up transaction:false
    CREATE INDEX CONCURRENTLY by_mood ON "Order" (mood);
    ALTER TYPE mood ADD VALUE 'well';
    -- migrate:down transaction:false
    DROP INDEX CONCURRENTLY by_mood;\n`,
  );
  expect((await migrate()).tenants.flatMap(({ error }) => error?.message ?? [])).toEqual([]);

  await fleet.add(
    '34_more.sql',
    `-- migrate:up
    ALTER TABLE "Order" ADD back2 text DEFAULT '\\', ADD CONSTRAINT c CHECK (id > 0);
    CREATE VIEW v AS SELECT * FROM "Order";
    -- migrate:down
    DROP VIEW v; ALTER TABLE "Order" DROP back2;\n`,
  );
  expect((await migrate()).totals).toMatchObject({ changed: all, failed: 0 });

  const rows: unknown[] = [];
  const sql = `SELECT current_schema(), date '2026-01-31', count(*) FROM "Order"`;
  const { totals } = await queryTenants(fresh, { sql, onRows: ({ rows: page }) => void rows.push(...page) });
  expect(totals).toMatchObject({ answered: all, failed: 0 });
  expect(rows).toContainEqual(['acme-corp', '2026-01-31', '0']);
  const { tenants: classes } = await fleetStatus(fresh, { tenantFolder: folder });
  expect(classes).toMatchObject({ upToDate: all, failed: 0, broken: 0 });
  expect(failures(await examine(fleet.project, fleet.testDatabase.settings))).toEqual([]);
  for (const { startedAt, endedAt } of await readRuns(fresh))
    expect([startedAt, endedAt]).toEqual([expect.any(Date), expect.any(Date)]);

  await fleet.add(
    '35_out.sql',
    "-- migrate:up\nDO $$ BEGIN EXECUTE 'ALTER TABLE countries ADD x int'; END $$;\n",
  );
  for (const { error } of (await migrate()).tenants)
    expect(error?.message).toContain('35_out.sql changed the table public.countries');
  await fleet.project.remove('migrations/tenants/35_out.sql');
  const back = await rollbackTenants(fresh, { folder, extent: { to: '20250101000002_tags' } });
  expect(back.tenants.flatMap(({ error }) => error?.message ?? [])).toEqual([]);
  expect((await provisionTenants(fresh, ['org_new'], { folder })).map(({ outcome }) => outcome)).toEqual([
    'provisioned',
  ]);
});

import { expect, test } from 'vitest';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { queryTenants } from '../../../src/core/query/query-tenants.ts';
import { createFleet } from '../../support/fleet.ts';
import { refusalOf } from '../../support/refusal.ts';
import { examine, line } from '../doctor/examine.ts';

/** Rows whose schema is not a tenant's, by organization. */
const ROWS = {
  main: 'public',
  cat: 'pg_catalog',
  info: 'information_schema',
  own: 'tenantctl',
  one: 'acme',
  two: 'acme',
};
const REFUSED = Object.keys(ROWS).toSorted();

test('rows that name public, a system schema, tenantctl or one schema twice are refused by every command; the others go on', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { database, query, project } = fleet;
  await query(`ALTER TABLE tenants DROP CONSTRAINT tenants_schema_name_key; CREATE SCHEMA acme; CREATE TABLE acme.own ();
    CREATE TABLE countries (code text PRIMARY KEY)`);
  const insert = `INSERT INTO tenants (clerk_org_id, schema_name, status) SELECT key, value, $2 FROM json_each_text($1)`;
  await query(insert, [JSON.stringify(ROWS), 'ACTIVE']);
  await query(insert, [JSON.stringify({ gone: 'public' }), 'SUSPENDED']);
  await fleet.add(
    '3_addresses.sql',
    `-- migrate:up
    CREATE TABLE addresses (country text REFERENCES public.countries);
    -- migrate:down
    DROP TABLE addresses;\n`,
  );
  const refusalsIn = (
    tenants: readonly {
      readonly clerkOrgId: string;
      readonly error?: { readonly code: string; readonly message: string } | undefined;
    }[],
  ) =>
    tenants
      .filter(({ error }) => error?.code === 'SCHEMA_NAME_TAKEN')
      .map(({ clerkOrgId }) => clerkOrgId)
      .toSorted();

  const { problems, plans } = await rehearseTenants(database, { folder: project.tenants });
  expect(problems.map(({ tenant }) => tenant.clerkOrgId).toSorted()).toEqual(REFUSED);
  expect(plans.map(({ targets }) => targets.length)).toEqual([3]);

  const migrated = await fleet.migrate();
  expect(migrated.totals).toMatchObject({ changed: 3, failed: REFUSED.length });
  expect(refusalsIn(migrated.tenants)).toEqual(REFUSED);
  const messages = migrated.tenants.flatMap(({ error }) => error?.message ?? []);
  expect(messages).toContain(`The row of "main" names the schema public, which is not a tenant's.`);
  expect(messages).toContain('The rows of "one", "two" name the same schema, acme.');
  expect(refusalsIn((await fleet.migrate({ tenants: ['one', 'org_a'] })).tenants)).toEqual(['one']);

  const asked = await queryTenants(database, { sql: 'SELECT 1', onRows: () => {} });
  expect([asked.totals.answered, refusalsIn(asked.tenants)]).toEqual([3, REFUSED]);
  expect(refusalsIn(await fleet.provision(...REFUSED))).toEqual(REFUSED);
  for (const tenant of ['main', 'one'])
    expect(await refusalOf(resolveInterrupted(database, { tenant, answer: 'retry' }))).toMatchObject({
      code: 'SCHEMA_NAME_TAKEN',
      tenant,
    });

  const { tenants, states } = await fleet.status();
  expect(tenants).toMatchObject({ upToDate: 3, broken: REFUSED.length, notActive: 1 });
  expect(states.map(({ attention }) => attention?.problem)).toContain(
    'The rows of "one", "two" name the same schema, acme.',
  );
  const check = line(await examine(project, fleet.testDatabase.settings), 'refused-schemas');
  expect(check).toMatchObject({
    status: 'failed',
    code: 'SCHEMA_NAME_TAKEN',
    detail: expect.stringMatching(/^7 rows .*main \(public\)/),
  });

  const back = await fleet.rollback();
  expect([back.totals.changed, refusalsIn(back.tenants)]).toEqual([3, REFUSED]);
  expect(
    await query(
      `SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'acme') AND tablename IN ('addresses', 'knex_migrations_tenant')`,
    ),
  ).toEqual([]);
});

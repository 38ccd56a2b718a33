import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { queryTenants } from '../../../src/core/query/query-tenants.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createFleet, fleetOn, resultOf } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const END = 'SELECT pg_terminate_backend(pg_backend_pid())';
const IN_HISTORY = `CREATE FUNCTION bye() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
  CREATE TRIGGER bye BEFORE INSERT ON knex_migrations_tenant FOR EACH ROW EXECUTE FUNCTION bye();`;

const LOST = {
  code: 'DATABASE_ERROR',
  message: expect.stringMatching(/^The connection to the server was lost: [^:]*(?:terminat|queryable)[^:]*$/),
  retryable: true,
  hint: expect.stringMatching(/run the command again when the server can be reached/i),
};

test('where the connection ends within a transaction, the error names it, and no migration', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_sql.sql', `-- migrate:up\n${END};`);
  expect(await refusalOf(rehearseTenants(fleet.database, { folder: fleet.project.tenants }))).toMatchObject(
    LOST,
  );
  for (const [name, text] of [
    ['3_sql.sql', `-- migrate:up\n${END};`],
    ['3_knex.mjs', knexMigration(`await knex.raw('${END}');`)],
    ['3_caught.mjs', knexMigration(`await knex.raw('${END}').catch(() => {}); await knex.raw('SELECT 1');`)],
    ['3_history.sql', `-- migrate:up\n${IN_HISTORY}`],
  ] as const) {
    await fleet.add(name, text);
    const { error } = resultOf(await fleet.migrate({ retries: 0 }), 'org_a');
    expect(error).toMatchObject(LOST);
    expect(error).not.toHaveProperty('migration');
    await fleet.project.remove(`migrations/tenants/${name}`);
  }
});

test('where it ends outside a transaction, the outcome is unknown, and the error says why', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_outside.sql', `-- migrate:up transaction:false\n${END};`);
  const { tenants } = await fleet.migrate({ retries: 0 });
  expect(tenants).toHaveLength(2);
  for (const { error } of tenants)
    expect(error).toMatchObject({
      code: 'MIGRATION_INTERRUPTED',
      message: expect.stringMatching(
        /^The connection to the server was lost: .*, while 3_outside.sql ran outside a transaction in tid_\w+; how far it got is unknown\.$/,
      ),
      hint: expect.stringContaining('tenantctl resolve org_'),
    });
});

test('a check and a query that get no answer say that', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_fine.sql', '-- migrate:up\nCREATE TABLE fine ();');
  const check = { name: 'check.sql', query: END };
  const { tenants } = await fleet.migrate({ retries: 0, rollout: { check } });
  expect(tenants[0]?.error).toMatchObject({
    code: 'CHECK_REFUSED',
    message: expect.stringContaining('check.sql got no answer: The connection to the server was lost'),
    hint: expect.stringMatching(/^Run the check again/),
  });
  const query = await queryTenants(fleet.database, { sql: END, onRows: () => {} });
  expect(query.tenants.map(({ error }) => error)).toMatchObject([LOST]);
});

test('a COMMIT whose answer is lost is told as a lost connection', async () => {
  const base = await createFleet(['org_a']);
  const proxy = await cuttingProxy(base.testDatabase.settings);
  const database = await openDatabase(proxy.settings, { maxConnections: 5 });
  const fleet = fleetOn(base.testDatabase, database, base.project);
  await fleet.add('3_fine.sql', '-- migrate:up\nCREATE TABLE fine ();');
  proxy.cutAfter("'3_fine.sql'", 'COMMIT');
  const { error } = resultOf(await fleet.migrate({ retries: 0 }), 'org_a');
  await database.close();
  expect(error).toMatchObject(LOST);
});

import { expect, test } from 'vitest';
import { createFleet } from '../../support/fleet.ts';

test('with a publication for all tables, tenants are migrated, rolled back, provisioned, and old runs pruned', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.query('CREATE PUBLICATION everything FOR ALL TABLES');
  await fleet.add(
    '3_x.sql',
    '-- migrate:up\nCREATE TABLE x (id int PRIMARY KEY);\n-- migrate:down\nDROP TABLE x;\n',
  );
  for (let run = 0; run < 2; run += 1) {
    expect((await fleet.migrate({ keepRuns: 1 })).totals).toMatchObject({ changed: 4, failed: 0 });
    expect((await fleet.rollback({ keepRuns: 1 })).totals).toMatchObject({ changed: 4, failed: 0 });
  }
  expect(await fleet.provision('org_e')).toMatchObject([{ outcome: 'provisioned' }]);
  await fleet.add('4_fails.sql', '-- migrate:up\nSELECT 1 / 0;\n');
  expect((await fleet.migrate({ keepRuns: 1 })).totals).toMatchObject({ failed: 5 });
  await fleet.project.remove('migrations/tenants/4_fails.sql');
  await fleet.migrate({ keepRuns: 1 });

  // Nothing of tenantctl's lacks a replica identity, in its own schema or a tenant's.
  const without = await fleet.query(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND (n.nspname = 'tenantctl' OR c.relname LIKE 'knex_migrations%') AND c.relreplident = 'd'
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`,
  );
  expect(without).toEqual([{ name: 'tenantctl.state_version' }]);
});

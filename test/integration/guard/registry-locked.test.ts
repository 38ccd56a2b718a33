import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { createFleet } from '../../support/fleet.ts';

/** What a migration does to the registry or to tenantctl's own tables, and how the guard tells it. */
const DEEDS: readonly (readonly [deed: string, says: string])[] = [
  ['ALTER TABLE tenants ADD COLUMN plan text', 'changed the table public.tenants'],
  ['ALTER TABLE public.tenants RENAME TO customers', 'changed the table public.tenants'],
  ['ALTER TABLE tenants RENAME COLUMN schema_name TO s', 'changed the table public.tenants'],
  ['LOCK TABLE public.tenants', 'locked the table public.tenants against others (AccessExclusiveLock)'],
  ['TRUNCATE tenants', 'changed the table public.tenants'],
  ['DROP TABLE public.tenants', 'dropped the table public.tenants'],
  ['CREATE INDEX ON tenants (status)', 'changed the table public.tenants'],
  ['LOCK TABLE tenantctl.runs', 'locked the table tenantctl.runs against others (AccessExclusiveLock)'],
  ['ALTER TABLE tenantctl.stamps ADD x int', 'changed the table tenantctl.stamps'],
  ['DROP TABLE tenantctl.tenants', 'dropped the table tenantctl.tenants'],
  ['TRUNCATE tenantctl.run_tenants', 'changed the table tenantctl.run_tenants'],
  ['DROP SCHEMA tenantctl CASCADE', 'dropped or changed the schema tenantctl'],
];

/** Ways to write the deed: by a statement, and where its text does not show it. */
const FORMS = [(deed: string) => `${deed};`, (deed: string) => `DO $$ BEGIN EXECUTE '${deed}'; END $$;`];

test('a migration that changes, locks or drops the registry or a table of tenantctl is refused at once, by name', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  const seen = await fleet.query('SELECT * FROM tenants ORDER BY clerk_org_id');
  for (const [deed, says] of DEEDS) {
    for (const form of FORMS) {
      await fleet.add('3_x.sql', `-- migrate:up\nCREATE TABLE x ();\n${form(deed)}\n`);
      const started = performance.now();
      const { tenants } = await fleet.migrate({ retries: 0, tenants: ['org_a'] });
      expect([deed, tenants[0]?.error?.code, tenants[0]?.error?.message]).toEqual([
        deed,
        'MIGRATION_OUTSIDE_SCHEMA',
        expect.stringContaining(says),
      ]);
      expect(performance.now() - started).toBeLessThan(4_000);
    }
    const { plans } = await rehearseTenants(fleet.database, { folder: fleet.project.tenants });
    expect([deed, plans[0]?.migrations.at(-1)?.error?.message]).toEqual([
      deed,
      expect.stringContaining(says),
    ]);
  }
  expect(await fleet.query('SELECT * FROM tenants ORDER BY clerk_org_id')).toEqual(seen);
});

test('outside a transaction, in a down and from the third tenant on it is refused as well', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.add('3_x.sql', '-- migrate:up transaction:false\nALTER TABLE tenants ADD COLUMN plan text;\n');
  for (const { error } of (await fleet.migrate()).tenants)
    expect(error).toMatchObject({
      code: 'MIGRATION_OUTSIDE_SCHEMA',
      message: expect.stringContaining('public.tenants'),
    });

  await fleet.add(
    '3_x.sql',
    `-- migrate:up
     CREATE TABLE x (); DO $$ BEGIN IF right(current_schema(), 10) = (SELECT right(schema_name, 10) FROM tenants WHERE clerk_org_id = 'org_d') THEN LOCK TABLE public.tenants; END IF; END $$;
     -- migrate:down
     ALTER TABLE public.tenants ADD COLUMN plan text; DROP TABLE x;\n`,
  );
  const { tenants, totals } = await fleet.migrate();
  expect(totals).toMatchObject({ changed: 3, failed: 1 });
  expect(tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_d')?.error?.message).toContain(
    'locked the table public.tenants',
  );
  const back = await fleet.rollback({ retries: 0 });
  const messages = back.tenants.flatMap(({ error }) => error?.message ?? []);
  expect(messages).toHaveLength(3);
  for (const message of messages) expect(message).toContain('changed the table public.tenants');
});

test('a master migration may alter the registry, while its tables wait for nobody', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.project.write(
    'migrations/master/9_plan.sql',
    '-- migrate:up\nALTER TABLE tenants ADD COLUMN plan text; LOCK TABLE tenantctl.runs, tenantctl.run_tenants, tenantctl.tenants; SELECT pg_sleep(0.5);\n',
  );
  const { database, project } = fleet;
  const [beside] = await Promise.all([
    fleet.migrate({ masterFolder: undefined }),
    migrateMaster(database, { folder: project.master }),
  ]);
  expect(beside.totals).toMatchObject({ failed: 0 });
  expect(await fleet.query('SELECT plan FROM tenants')).toEqual([{ plan: null }]);
});

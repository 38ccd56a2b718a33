import { expect, test } from 'vitest';
import { readRun, readRuns, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import {
  dropTenant,
  dropTenants,
  forgetTenants,
  planDrop,
  readDropped,
} from '../../../src/core/tenant/drop.ts';
import { backupTenants } from '../../../src/core/tenant/backup.ts';
import { cloneTenant } from '../../../src/core/tenant/clone.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { resumeTenant } from '../../../src/core/tenant/resume.ts';
import { contentOf } from '../../support/catalog.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { refusalOf } from '../../support/refusal.ts';
import { session } from '../../support/stamps.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';

const A = schemaNameFor('org_a');

/** All that is there of a tenant, or of everybody, but the ledger and tenantctl's own ids. */
async function contentWith({ testDatabase }: TestFleet, organization = ''): Promise<string[]> {
  const schema = organization && schemaNameFor(organization);
  return (await contentOf(testDatabase))
    .filter((line) => line.includes(schema) || line.includes(organization))
    .filter((line) => !/^row tenantctl\.(?:tenants|state_version|recordings) /.test(line))
    .map((line) => line.replace(/"updated_at": "[^"]*"/, ''));
}

/** Foreign keys from and to shared tables, a cycle within, a partition and a view. */
async function tie({ query }: TestFleet, schema: string): Promise<void> {
  await query(`CREATE TABLE IF NOT EXISTS public.plans (id int PRIMARY KEY); CREATE TABLE IF NOT EXISTS public.uses (note int);
    CREATE TABLE IF NOT EXISTS public.parts (id int) PARTITION BY LIST (id); CREATE TABLE IF NOT EXISTS public.kin (id int)`);
  await query(`SET search_path TO ${schema}, public;
    CREATE TABLE x (id int PRIMARY KEY, plan int);
    ALTER TABLE x ADD FOREIGN KEY (plan) REFERENCES public.plans DEFERRABLE NOT VALID;
    CREATE TABLE y (id int PRIMARY KEY REFERENCES x); ALTER TABLE x ADD FOREIGN KEY (id) REFERENCES y DEFERRABLE;
    CREATE TABLE child () INHERITS (public.kin); CREATE TABLE part (id int);
    ALTER TABLE public.uses ADD COLUMN mine int REFERENCES x; CREATE VIEW seen AS SELECT x.plan FROM x, public.plans p WHERE p.id = x.plan;
    CREATE SEQUENCE free; CREATE TYPE mood AS ENUM ('ok'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER TABLE public.parts ATTACH PARTITION part DEFAULT; SET search_path TO DEFAULT`);
}

test('a dropped tenant is gone with all that it had, others and shared tables stay; dropping again is no error', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, query } = fleet;
  await tie(fleet, A);
  const heard: string[] = [];
  const listener = await session(fleet);
  listener.on('notification', ({ payload = '' }) => heard.push(payload));
  await listener.query('LISTEN tenantctl');
  const before = await contentWith(fleet, 'org_b');
  const [loss] = (await planDrop(database, ['org_a'])).losses;
  expect(loss).toMatchObject({ clerkOrgId: 'org_a', schema: A, status: 'ACTIVE', tables: 8, role: null });
  expect(loss?.bytes).toBeGreaterThan(0);

  const { run, tenants } = await dropTenants(database, [A]);
  expect(tenants).toMatchObject([{ clerkOrgId: 'org_a', schema: A, outcome: 'dropped' }]);
  expect(await contentWith(fleet, 'org_a')).toEqual([]);
  expect(await contentWith(fleet, 'org_b')).toEqual(before);
  expect(await readRun(database, run ?? 0)).toMatchObject({ command: 'tenant drop', outcome: 'done' });
  expect(await readRunTenants(database, run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: 'org_a', schema: A, outcome: 'dropped' },
  ]);
  await expect.poll(() => heard).toEqual(['org_a', 'org_a']);

  const [tombstone] = await readDropped(database);
  expect(tombstone).toMatchObject({ clerkOrgId: 'org_a', schema: A, backupFile: null });
  expect(await dropTenant(database, 'org_a')).toMatchObject({ outcome: 'already-dropped' });
  expect(await refusalOf(dropTenants(database, ['org_a', 'org_nope']))).toMatchObject({
    code: 'TENANT_UNKNOWN',
    tenant: 'org_nope',
  });

  // The organization comes back as another tenant, and the tombstone stays until it is forgotten.
  expect((await fleet.provision('org_a'))[0]?.outcome).toBe('provisioned');
  expect(await readDropped(database)).toHaveLength(1);
  await forgetTenants(database, ['org_a']);
  expect(await readDropped(database)).toEqual([]);
  expect(await query(`SELECT FROM tenantctl.run_tenants WHERE outcome = 'dropped'`)).toEqual([]);
  expect(await refusalOf(forgetTenants(database, ['org_a']))).toMatchObject({ code: 'TENANT_UNKNOWN' });
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 2 });
});

test('a tenant that is forgotten is named nowhere any more, under former names neither; others are', async () => {
  const fleet = await createFleet(['org_gone', 'org_stays']);
  const { database, query, project } = fleet;
  const folder = project.tenants;
  await renameTenant(database, 'org_gone', 'org_former');
  await renameTenant(database, 'org_former', 'org_gone', { withSchema: true });
  await cloneTenant(database, 'org_gone', 'org_copy', { folder });
  await backupTenants(database, { directory: project.folder, tenants: ['org_gone', 'org_stays'] });
  await query(`ALTER TABLE ${schemaNameFor('org_gone')}.notes ADD extra int`);
  await refusalOf(cloneTenant(database, 'org_gone', 'org_other', { folder }));
  await dropTenant(database, 'org_gone');
  const named = async (name: string) =>
    (
      await query<{ row: string }>(
        `SELECT 'run ' || to_jsonb(r)::text AS row FROM tenantctl.runs r UNION ALL SELECT to_jsonb(e)::text FROM tenantctl.run_tenants e
         UNION ALL SELECT to_jsonb(t)::text FROM tenantctl.tenants t UNION ALL SELECT 'backup ' || to_jsonb(b)::text FROM tenantctl.backups b`,
      )
    )
      .map(({ row }) => row)
      .filter((row) => row.includes(name) || row.includes(schemaNameFor(name)));
  expect(await named('org_gone')).not.toEqual([]);

  await forgetTenants(database, ['org_gone']);

  expect(await named('org_gone')).toEqual([]);
  expect(await named('org_former')).toEqual([]);
  expect((await named('org_stays')).join('\n')).toMatch(/^backup /m);
  expect((await readRuns(database, {})).map(({ command }) => command)).toContain('tenant clone');
});

test('what depends on a tenant from outside is named, and nothing changes', async () => {
  const fleet = await createFleet(['org_a']);
  const { database, query } = fleet;
  await query(`SET search_path TO ${A}, public; CREATE TYPE mood AS ENUM ('ok'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE VIEW public.spy AS SELECT * FROM notes; CREATE TABLE public.moods (mood mood, n int DEFAULT f());
    CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION on_ddl(); SET search_path TO DEFAULT`);
  const before = await contentWith(fleet);
  const error = await refusalOf(dropTenant(database, 'org_a'));
  expect(error).toMatchObject({ code: 'TENANT_REFERENCED', tenant: 'org_a' });
  expect(error.details).toEqual([
    'column mood of table public.moods',
    'default value for column n of table public.moods',
    'event trigger et',
    'view public.spy',
  ]);
  expect(await contentWith(fleet)).toEqual(before);
  await query('DROP VIEW public.spy; DROP TABLE public.moods; DROP EVENT TRIGGER et');
  expect(await dropTenant(database, 'org_a')).toMatchObject({ outcome: 'dropped' });
});

test('a failed drop locks the shared table for a moment only: its keys are validated apart, and what was NOT VALID stays so', async () => {
  const fleet = await createFleet(['org_a']);
  const { database, query } = fleet;
  await query(`CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1);
    CREATE TABLE ${A}.x (plan int REFERENCES plans, old int CONSTRAINT old_key REFERENCES plans, broken int CONSTRAINT broken_key REFERENCES plans);
    INSERT INTO ${A}.x (plan) VALUES (1);
    ALTER TABLE ${A}.x DROP CONSTRAINT old_key, ADD CONSTRAINT old_key FOREIGN KEY (old) REFERENCES plans NOT VALID`);
  const keys = () =>
    query<{ name: string; valid: boolean }>(
      `SELECT conname AS name, convalidated AS valid FROM pg_constraint WHERE confrelid = 'plans'::regclass ORDER BY 1`,
    );
  // An application breaks a key as soon as it is gone; and what a validation locks is written down.
  await query(`CREATE TABLE seen (mode text); CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_query() LIKE '%DROP CONSTRAINT broken_key%' THEN INSERT INTO ${A}.x (broken) VALUES (7);
    ELSIF current_query() LIKE '%VALIDATE CONSTRAINT%' THEN
      INSERT INTO seen SELECT mode FROM pg_locks WHERE relation = 'plans'::regclass AND pid = pg_backend_pid(); END IF; END $$;
    CREATE EVENT TRIGGER on_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION on_ddl()`);
  const reader = await session(fleet);
  await reader.query(`BEGIN; SELECT FROM ${A}.notes`);
  const warnings: string[] = [];
  const observe = (event: RunEvent) => event.type === 'warning' && warnings.push(event.message);
  const failing = dropTenant(database, 'org_a', { lockTimeoutMs: 100, retries: 0, observe });
  expect(await refusalOf(failing)).toMatchObject({ sqlstate: '55P03' });
  expect(await keys()).toEqual([
    { name: 'broken_key', valid: false },
    { name: 'old_key', valid: false },
    { name: 'x_plan_fkey', valid: true },
  ]);
  expect(await query('SELECT DISTINCT mode FROM seen ORDER BY 1')).toEqual([
    { mode: 'AccessShareLock' },
    { mode: 'RowShareLock' },
  ]);
  expect(warnings).toEqual([expect.stringContaining(`ALTER TABLE ${A}.x VALIDATE CONSTRAINT broken_key;`)]);
  expect(await query('SELECT status FROM tenants')).toEqual([{ status: 'ACTIVE' }]);
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
});

test('a drop that fails gives the tenant back as it was; one whose process died continues, and resuming is refused', async () => {
  const fleet = await createFleet(['org_a']);
  const { database, query, testDatabase } = fleet;
  await tie(fleet, A);
  await query(`COMMENT ON CONSTRAINT x_plan_fkey ON ${A}.x IS 'the plan''s number'`);
  const before = await contentWith(fleet);
  const reader = await session(fleet);
  await reader.query(`BEGIN; SELECT FROM ${A}.notes`);
  const error = await refusalOf(dropTenant(database, 'org_a', { lockTimeoutMs: 100, retries: 0 }));
  expect(error).toMatchObject({
    sqlstate: '55P03',
    blockedBy: [{ query: expect.stringContaining('notes') as string }],
  });
  expect(await contentWith(fleet)).toEqual(before);
  expect(await query(`SELECT FROM pg_description WHERE description = 'the plan''s number'`)).toHaveLength(1);
  expect(await query('SELECT status FROM tenants')).toEqual([{ status: 'ACTIVE' }]);
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);

  const dying = await testDatabase.open();
  const died = refusalOf(dropTenant(dying, 'org_a', { lockTimeoutMs: 0 }));
  const keys = `SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = 'public.plans'::regclass`;
  await expect.poll(() => query(keys)).toEqual([]);
  await expect
    .poll(() =>
      query(
        `SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ),
    )
    .toHaveLength(1);
  await dying.close();
  await died;
  await reader.query('COMMIT');
  await expect.poll(() => query('SELECT FROM tenantctl.verb_intents')).toHaveLength(1);
  const resumed = resumeTenant(database, 'org_a', { folder: fleet.project.tenants });
  expect(await refusalOf(resumed)).toMatchObject({
    code: 'TENANT_UNFINISHED',
    hint: expect.stringContaining('tenantctl tenant drop org_a') as string,
  });
  expect((await fleet.status()).tenants).toMatchObject({ broken: 1 });
  expect(await dropTenant(database, 'org_a')).toMatchObject({ outcome: 'dropped' });
  expect(await contentWith(fleet, 'org_a')).toEqual([]);
});

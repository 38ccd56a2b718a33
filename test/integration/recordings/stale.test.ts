import { symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { AT_ONCE, INTERACTIVELY, watchSignUps, type SignUps } from '../../support/sign-ups.ts';

const FILE = '20260101000000_more.sql';

/** A fleet of one tenant, who has shown what the migrations send. */
async function keptFleet(more = createTable('more')): Promise<SignUps & { readonly fleet: TestFleet }> {
  const fleet = await createFleet([]);
  await fleet.add(FILE, more);
  const { signUp } = await watchSignUps(fleet);
  expect(await signUp('one')).toEqual(INTERACTIVELY);
  return { fleet, signUp };
}

/** The same database for whoever connects now. */
const reopened = ({ testDatabase }: TestFleet) => testDatabase.open();

test('an edited file is run again, and what is sent takes the place of the old', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.add(FILE, createTable('more', 'id int, edited int'));
  expect((await signUp('three')).way).toBe('interactively');
  expect((await signUp('four')).way).toBe('in one string');
  const columns = await fleet.query(
    `SELECT table_schema FROM information_schema.columns WHERE table_name = 'more' AND column_name = 'edited'`,
  );
  expect(columns).toHaveLength(2);
  expect(await fleet.query('SELECT FROM tenantctl.recordings')).toHaveLength(3);
});

test('a link that leads to another file by now is a migration that was edited', async () => {
  const fleet = await createFleet([]);
  const link = join(fleet.project.tenants, FILE);
  await fleet.project.write('shared/old.sql', createTable('more'));
  await fleet.project.write('shared/new.sql', createTable('more', 'id int, edited int'));
  await symlink('../../shared/old.sql', link);
  const { signUp } = await watchSignUps(fleet);
  expect(await signUp('one')).toEqual(INTERACTIVELY);
  expect(await signUp('three')).toEqual(AT_ONCE);
  await unlink(link);
  await symlink('../../shared/new.sql', link);
  expect((await signUp('four')).way).toBe('interactively');
});

test.each([
  ['a time zone of the database', `ALTER DATABASE %I SET timezone TO 'Asia/Tokyo'`],
  [
    'a search_path of the role',
    'ALTER ROLE CURRENT_USER IN DATABASE %I SET search_path TO public, pg_catalog',
  ],
  ['a default access method', 'ALTER DATABASE %I SET default_table_access_method TO heap2'],
  ['functions that are not checked', 'ALTER DATABASE %I SET check_function_bodies TO off'],
  ['an extension that moved', 'CREATE SCHEMA elsewhere; ALTER EXTENSION citext SET SCHEMA elsewhere'],
])('recordings are not used after %s', async (_what, change) => {
  const fleet = await createFleet([]);
  await fleet.query(`CREATE EXTENSION citext SCHEMA public;
    DO $$ BEGIN CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; EXCEPTION WHEN OTHERS THEN END $$`);
  const { signUp } = await watchSignUps(fleet);
  for (const name of ['one', 'two']) await signUp(name);
  expect(await signUp('three')).toEqual(AT_ONCE);
  await fleet.query(`DO $$ BEGIN EXECUTE format($f$${change}$f$, current_database()); END $$`);
  expect(await signUp('four', {}, await reopened(fleet))).toEqual(INTERACTIVELY);
});

test('recordings of the login role are not those of a role for tenants', async () => {
  const { signUp } = await keptFleet();
  expect((await signUp('three', { tenantRole: 'kept_{schema}' })).way).toBe('interactively');
});

test('a row under the key of another server or version is replaced', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query(`UPDATE tenantctl.recordings SET key = 'another'`);
  expect((await signUp('three')).way).toBe('interactively');
  expect(await signUp('four')).toEqual(AT_ONCE);
});

test('a row that was changed by hand is not used, with a warning, and replaced', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query(
    `UPDATE tenantctl.recordings SET body = replace(body, 'TABLE more (', 'TABLE more (planted int, ') WHERE stem LIKE '%more'`,
  );
  const { way, warnings } = await signUp('three');
  expect(way).toBe('interactively');
  expect(warnings).toEqual([
    'Changed by another program in tenantctl.recordings, and not used: 20260101000000_more.',
  ]);
  expect(await signUp('four')).toEqual(AT_ONCE);
});

test.each([
  [
    'is writable for another role',
    'GRANT UPDATE ON tenantctl.recordings TO kept_writer',
    'may be changed by',
  ],
  [
    'has a writable column',
    'GRANT INSERT (body) ON tenantctl.recordings TO kept_writer',
    'may be changed by',
  ],
  [
    'is writable for all',
    'GRANT DELETE ON tenantctl.recordings TO PUBLIC',
    'may be changed by everybody (DELETE)',
  ],
  [
    'belongs to another role',
    'ALTER TABLE tenantctl.recordings OWNER TO kept_writer',
    'belongs to kept_writer',
  ],
  ['has a child', 'CREATE TABLE public.child () INHERITS (tenantctl.recordings)', 'is not a plain table'],
  ['has a policy', 'ALTER TABLE tenantctl.recordings ENABLE ROW LEVEL SECURITY', 'has rules or policies'],
  [
    'has a trigger',
    'CREATE TRIGGER planted BEFORE INSERT ON tenantctl.recordings FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'has the trigger planted',
  ],
])('a table that %s is not used, and doctor says so', async (_what, deed, reason) => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query(
    `DO $$ BEGIN CREATE ROLE kept_writer; EXCEPTION WHEN duplicate_object THEN END $$; ${deed}`,
  );
  const before = await fleet.query('SELECT * FROM tenantctl.recordings');
  const { way, warnings } = await signUp('three');
  expect(way).toBe('interactively');
  expect(warnings).toEqual([expect.stringContaining(`it ${reason}`)]);
  expect(await fleet.query('SELECT * FROM tenantctl.recordings')).toEqual(before);
  const { checks } = await diagnose({
    nodeVersion: process.version,
    database: fleet.testDatabase.settings,
    folders: { master: fleet.project.master, tenants: fleet.project.tenants },
  });
  expect(checks.find(({ id }) => id === 'state-schema')).toMatchObject({ status: 'warning' });
});

test('without the table, everything runs with Knex', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query('DROP TABLE tenantctl.recordings');
  expect(await signUp('three')).toEqual(INTERACTIVELY);
});

test('where a shared table is gone, the error is that of the migration', async () => {
  const fleet = await createFleet([]);
  await fleet.query('CREATE TABLE public.countries (code text PRIMARY KEY)');
  await fleet.add(FILE, createTable('more', 'country text REFERENCES public.countries'));
  const { signUp } = await watchSignUps(fleet);
  for (const name of ['one', 'two']) await signUp(name);
  expect(await signUp('three')).toEqual(AT_ONCE);
  await fleet.query('DROP TABLE public.countries CASCADE');
  await expect(signUp('four')).rejects.toMatchObject({
    migration: FILE,
    message: expect.stringContaining('relation "public.countries" does not exist') as string,
  });
  // A table of that name that is another one.
  await fleet.query('CREATE TABLE public.countries (code text PRIMARY KEY, more int)');
  expect((await signUp('four')).way).toBe('interactively');
});

test('a function that stores the texts of statements since then is told each of them', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query(`
    CREATE TABLE public.audit (text text);
    CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.audit VALUES (current_query()); END $$;
    CREATE EVENT TRIGGER audit ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.audit()`);
  expect((await signUp('three')).way).toBe('interactively');
  const rows = await fleet.query<{ text: string }>(
    `SELECT text FROM public.audit WHERE text LIKE '%TABLE more%'`,
  );
  expect(rows).toEqual([{ text: 'CREATE TABLE more (id int PRIMARY KEY);' }]);
});

test('what an event trigger does since then outside the schema is found', async () => {
  const { fleet, signUp } = await keptFleet();
  await fleet.query(`
    CREATE FUNCTION public.planted() RETURNS event_trigger LANGUAGE plpgsql AS $$
      BEGIN CREATE OR REPLACE FUNCTION public.left_behind() RETURNS int LANGUAGE sql AS 'SELECT 1'; END $$;
    CREATE EVENT TRIGGER planted ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.planted()`);
  await expect(signUp('three')).rejects.toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA' });
});

test('where a schema that migrations wrote to has become a tenant, they are refused', async () => {
  const fleet = await createFleet([]);
  await fleet.query('CREATE SCHEMA shared; CREATE TABLE shared.log (line text)');
  await fleet.add(FILE, `-- migrate:up\nINSERT INTO shared.log VALUES ('made');\n`);
  const { signUp } = await watchSignUps(fleet);
  for (const name of ['one', 'two']) await signUp(name);
  expect(await signUp('three')).toEqual(AT_ONCE);
  await fleet.query(
    `INSERT INTO public.tenants (clerk_org_id, schema_name, status) VALUES ('adopted', 'shared', 'SUSPENDED')`,
  );
  await expect(signUp('four')).rejects.toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA' });
  expect(await fleet.query('SELECT FROM shared.log')).toHaveLength(3);
});

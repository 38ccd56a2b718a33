import { expect, test } from 'vitest';
import { provisionTenants, type ProvisionOptions } from '../../../src/core/tenant/provision.ts';
import type { ProvisionResult } from '../../../src/core/tenant/provision/provision-result.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet, fleetOn, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { contentsOf } from '../../support/tenant-content.ts';

const logged = (name: string) => `INSERT INTO public.log (schema, name) SELECT current_schema(), '${name}';`;
const code = (table: string) => `
  export const up = async (knex) => {
    if (await knex.schema.hasTable('${table}')) return;
    await knex.schema.createTable('${table}', (t) => { t.increments(); t.text('word').defaultTo('${table}'); });
    await knex('${table}').insert({ word: 'first' });
  };
  export const down = (knex) => knex.schema.dropTable('${table}');`;
const ALL = [
  '20250101000001_notes.sql',
  '20250101000002_tags.sql',
  '3_first.sql',
  '4_code.js',
  '5_outside.sql',
  '6_code.js',
  '7_last.sql',
];

interface Phased extends TestFleet {
  make(ids: readonly string[], options?: Partial<ProvisionOptions>): Promise<ProvisionResult[]>;
  /** Whether each tenant was sent a string, and not a statement, in its first and its last phase. */
  strings(): Promise<Record<string, boolean>>;
  statuses(): Promise<Record<string, string>>;
}

/** A folder with a migration outside a transaction between others. `public.open` decides whether the last fails. */
async function phased(outside = ''): Promise<Phased> {
  const fleet = await createFleet([]);
  await fleet.query(`
    CREATE TABLE public.open (); INSERT INTO public.open DEFAULT VALUES;
    CREATE TABLE public.log (schema text, name text, in_string boolean);
    CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE 'SELECT current_' || 'query() ~ ''tenantctl.(enter|leave)''' INTO NEW.in_string;
      RETURN NEW;
    END $$;
    CREATE TRIGGER see BEFORE INSERT ON public.log FOR EACH ROW EXECUTE FUNCTION public.see();`);
  await fleet.add('3_first.sql', `-- migrate:up\n${logged('first')}`);
  await fleet.add('4_code.js', code('before_it'));
  await fleet.add(
    '5_outside.sql',
    `-- migrate:up transaction:false\n${outside}\nCREATE INDEX CONCURRENTLY notes_it ON notes (id);`,
  );
  await fleet.add('6_code.js', code('after_it'));
  await fleet.add('7_last.sql', `-- migrate:up\nSELECT 1 / count(*) FROM public.open;\n${logged('last')}`);
  return {
    ...fleet,
    make: (ids, options) =>
      provisionTenants(fleet.database, ids, { folder: fleet.project.tenants, ...options }),
    async strings() {
      const rows = await fleet.query<{ id: string; name: string; in_string: boolean }>(
        `SELECT clerk_org_id AS id, name, in_string FROM public.log JOIN tenants ON schema = schema_name`,
      );
      return Object.fromEntries(rows.map(({ id, name, in_string }) => [`${id} ${name}`, in_string]));
    },
    async statuses() {
      const rows = await fleet.query<{ id: string; status: string }>(
        'SELECT clerk_org_id AS id, status FROM tenants',
      );
      return Object.fromEntries(rows.map(({ id, status }) => [id, status]));
    },
  };
}

const PROVISIONED = { outcome: 'provisioned', applied: ALL };

test('around a migration outside a transaction new tenants are sent strings, and become what Knex makes of them', async () => {
  const fleet = await phased();
  const notes: string[] = [];
  const observe = (event: RunEvent) => event.type === 'note' && notes.push(event.message);
  const ids = ['a', 'b', 'c', 'd', 'e'];
  expect(await fleet.make(ids, { observe })).toMatchObject(ids.map(() => PROVISIONED));
  expect(notes.filter((note) => note.includes('separately'))).toEqual([
    '5_outside.sql is run for every tenant separately: it runs outside a transaction.',
  ]);
  expect(await fleet.make(['lone'])).toMatchObject([PROVISIONED]);
  await fleet.make(['knex'], { compile: false, recordings: false });
  const strings = await fleet.strings();
  for (const phase of ['first', 'last']) {
    for (const id of ['a', 'b', 'knex']) expect(strings[`${id} ${phase}`]).toBe(false);
    for (const id of ['c', 'd', 'e', 'lone'])
      expect([id, phase, strings[`${id} ${phase}`]]).toEqual([id, phase, true]);
  }
  const contents = await contentsOf(fleet, [...ids, 'lone', 'knex']);
  for (const each of contents) expect(each).toEqual(contents.at(-1));
  expect(new Set(Object.values(await fleet.statuses()))).toEqual(new Set(['ACTIVE']));
  expect((await fleet.migrate({ verify: true })).totals).toMatchObject({ upToDate: 7, failed: 0 });
});

test('a failure in the last phase leaves FAILED and no schema, with Knex and as strings; again completes it', async () => {
  const fleet = await phased();
  const fails = async () => {
    await fleet.query('DELETE FROM public.open');
    const [failed] = await fleet.make(['x']);
    expect(failed).toMatchObject({ outcome: 'failed', applied: [], error: { migration: '7_last.sql' } });
    expect((await fleet.statuses())['x']).toBe('FAILED');
    expect(await fleet.query(`SELECT FROM pg_namespace WHERE nspname = '${failed?.schema}'`)).toEqual([]);
    await fleet.query('INSERT INTO public.open DEFAULT VALUES');
  };
  await fails();
  expect(await fleet.make(['a', 'b', 'c'])).toMatchObject([PROVISIONED, PROVISIONED, PROVISIONED]);
  await fails();
  expect(await fleet.make(['x'])).toMatchObject([PROVISIONED]);
  const [x, a] = await contentsOf(fleet, ['x', 'a']);
  expect(x).toEqual(a);
});

test('a tenant whose provisioning was stopped between two phases is completed by the next, and is not dropped', async () => {
  const fleet = await phased();
  await fleet.make(['a', 'b', 'c']);
  const stop = new AbortController();
  const observe = (event: RunEvent) => {
    if (event.type === 'phase' && event.message.startsWith('Outside')) stop.abort();
  };
  expect(await fleet.make(['x', 'new'], { observe, signal: stop.signal })).toEqual([]);
  expect(await fleet.statuses()).toMatchObject({ x: 'PROVISIONING', new: 'PROVISIONING' });
  expect(await fleet.tables('x')).toEqual(['before_it', 'notes', 'tags']);

  await fleet.query('DELETE FROM public.open');
  expect(await fleet.make(['x'])).toMatchObject([{ outcome: 'failed' }]);
  expect(await fleet.statuses()).toMatchObject({ x: 'FAILED', new: 'PROVISIONING' });
  expect(await fleet.tables('x')).toContain('before_it');

  await fleet.query('INSERT INTO public.open DEFAULT VALUES');
  expect(await fleet.make(['x', 'new', 'a'])).toMatchObject([
    { outcome: 'provisioned', applied: ['6_code.js', '7_last.sql'] },
    { outcome: 'provisioned', applied: ['5_outside.sql', '6_code.js', '7_last.sql'] },
    { outcome: 'already-active' },
  ]);
  const contents = await contentsOf(fleet, ['x', 'new', 'a']);
  for (const each of contents) expect(each).toEqual(contents.at(-1));
});

test('a deadlock in the last phase is tried again from the beginning, in a schema of its own', async () => {
  const fleet = await phased();
  await fleet.query(`
    CREATE SEQUENCE public.tries;
    CREATE FUNCTION public.deadlock_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.name = 'last' AND nextval('public.tries') = 1 THEN
        RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER deadlock_once BEFORE INSERT ON public.log FOR EACH ROW EXECUTE FUNCTION public.deadlock_once();`);
  expect(await fleet.make(['a'])).toMatchObject([PROVISIONED]);
  expect(await fleet.query('SELECT last_value::int AS n FROM public.tries')).toEqual([{ n: 2 }]);
  expect(await fleet.statuses()).toEqual({ a: 'ACTIVE' });
  expect((await fleet.history('a')).map((row) => row.replace('@1', ''))).toEqual(ALL);
});

test('two processes at one tenant take turns between its phases, and apply everything once', async () => {
  const fleet = await phased(WAIT_AT_GATE);
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
  const gate = await closeGate(fleet.testDatabase);
  const first = fleet.provision('a');
  await gate.reached();
  const second = other.provision('a');
  setTimeout(() => void gate.open(), 250);
  const results = (await Promise.all([first, second])).flat();
  expect(results.map(({ error }) => error)).toEqual([undefined, undefined]);
  expect(results.flatMap(({ applied }) => applied).toSorted()).toEqual(ALL);
  expect(await fleet.statuses()).toEqual({ a: 'ACTIVE' });
  expect((await fleet.history('a')).map((row) => row.split('@')[0])).toEqual(ALL);
});

import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startChild } from '../support/child.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { watchActivations } from '../support/sign-ups.ts';

const FOLDER = 'migrations/tenants';
const MIGRATION = `${FOLDER}/20260101000000_more.ts`;

/** Code that imports a helper, reads a file, binds values and asks what is there. */
const CODE = `
  import { readFileSync } from 'node:fs';
  import { join } from 'node:path';
  import type { Knex } from 'knex';
  import { columns } from '../../helpers/columns.ts';

  export async function up(knex: Knex): Promise<void> {
    const names = readFileSync(join(import.meta.dirname, '../../helpers/names.txt'), 'utf8').trim().split('\\n');
    await knex.schema.createTable('more', (table) => {
      for (const name of [...names, ...columns]) table.text(name);
      table.timestamp('at').defaultTo('2020-01-01');
    });
  }
  export const down = (knex: Knex) => knex.schema.dropTable('more');
`;

test(
  'a new process sends what another has shown, unless something has changed that it depends on',
  { timeout: 120_000 },
  async () => {
    const fleet = await createFleet([]);
    const { project, query } = fleet;
    await project.write(MIGRATION, CODE);
    await project.write('helpers/columns.ts', `export const columns = ['imported'];`);
    await project.write('helpers/names.txt', 'read\n');
    const wayOf = await watchActivations(fleet);
    const signUp = async (organization: string, env: Record<string, string> = {}) => {
      const { exitCode, stderr } = await tenantctl(['tenant', 'provision', organization], {
        cwd: project.folder,
        env: { ...fleet.testDatabase.env, TZ: 'America/Chicago', ...env },
      });
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      return wayOf(organization);
    };
    const columnsOf = async (organization: string) =>
      (
        await query<{ name: string }>(
          `SELECT column_name AS name FROM information_schema.columns JOIN public.tenants ON table_schema = schema_name
           WHERE table_name = 'more' AND clerk_org_id = $1 ORDER BY ordinal_position`,
          [organization],
        )
      ).map(({ name }) => name);

    expect(await signUp('one')).toBe('interactively');
    expect(await signUp('three')).toBe('in one string');
    expect(await columnsOf('three')).toEqual(['read', 'imported', 'at']);
    expect(await signUp('off', { RECORDINGS: 'off' })).toBe('interactively');
    await query('CREATE TABLE sign_ups.kept AS TABLE tenantctl.recordings');
    const restore = () =>
      query('DELETE FROM tenantctl.recordings; INSERT INTO tenantctl.recordings TABLE sign_ups.kept');

    // Until 2022, its hours were the same.
    expect(await signUp('zone', { TZ: 'America/Mexico_City' })).toBe('interactively');
    await restore();
    await project.write('node_modules/knex/package.json', '{"version":"3.0.0"}');
    expect(await signUp('knex')).toBe('interactively');
    await project.remove('node_modules/knex');
    await restore();
    expect(await signUp('four')).toBe('in one string');

    await project.write('helpers/columns.ts', `export const columns = ['edited'];`);
    expect(await signUp('helper')).toBe('interactively');
    expect(await columnsOf('helper')).toEqual(['read', 'edited', 'at']);
    await restore();
    await project.write('helpers/columns.ts', `export const columns = ['imported'];`);
    expect(await signUp('five')).toBe('in one string');
    await project.write('helpers/names.txt', 'another\n');
    expect(await signUp('read')).toBe('interactively');
    expect(await columnsOf('read')).toEqual(['another', 'imported', 'at']);
  },
);

const ASKS = `
  export async function up(knex) {
    const countries = await knex('public.countries').pluck('code').orderBy('code');
    await knex.schema.createTable('more', (table) => countries.forEach((code) => table.text(code)));
  }
`;

test(
  'what a migration has read is compared, and one that each tenant answers differently runs with Knex',
  { timeout: 120_000 },
  async () => {
    const fleet = await createFleet([]);
    const { project, query } = fleet;
    await query(`CREATE TABLE public.countries (code text); INSERT INTO public.countries VALUES ('c')`);
    await project.write(`${FOLDER}/20260101000000_more.js`, ASKS);
    const wayOf = await watchActivations(fleet);
    const signUp = async (organization: string) => {
      const call = { cwd: project.folder, env: fleet.testDatabase.env };
      expect(await tenantctl(['tenant', 'provision', organization], call)).toMatchObject({ exitCode: 0 });
      const columns = await query<{ name: string }>(
        `SELECT column_name AS name FROM information_schema.columns JOIN public.tenants ON table_schema = schema_name
         WHERE table_name = 'more' AND clerk_org_id = $1 ORDER BY ordinal_position`,
        [organization],
      );
      return `${await wayOf(organization)}: ${columns.map(({ name }) => name).join('')}`;
    };
    const add = (code: string) => query('INSERT INTO public.countries VALUES ($1)', [code]);

    expect(await signUp('one')).toBe('interactively: c');
    expect(await signUp('two')).toBe('in parts: c');
    await add('d');
    // It did not fit once: two have to show it now, and who signs up twice is one.
    expect(await signUp('four')).toBe('interactively: cd');
    await query(
      `DROP SCHEMA ${schemaNameFor('four')} CASCADE; DELETE FROM tenants WHERE clerk_org_id = 'four'`,
    );
    expect(await signUp('four')).toBe('interactively: cd');
    expect(await signUp('five')).toBe('interactively: cd');
    expect(await signUp('six')).toBe('in parts: cd');
    await add('e');
    expect(await signUp('seven')).toBe('interactively: cde');
    await add('f');
    expect(await signUp('eight')).toBe('interactively: cdef');
    await add('g');
    expect(await signUp('nine')).toBe('in parts: cdefg');
    const kept = await query(
      `SELECT body::jsonb -> 'shown' -> 'interactive' AS why FROM tenantctl.recordings WHERE stem > '2026'`,
    );
    expect(kept).toEqual([{ why: 'tenants answer it differently' }]);
  },
);

const ASKS_OF_ALL = `
  export async function up(knex) {
    const { rows } = await knex.raw("SELECT FROM information_schema.tables WHERE table_name = 'notes'");
    if (rows.length > 0) await knex.schema.createTable('more', (table) => table.increments());
  }
`;

test('a migration that sees the tables of all tenants is run with Knex for each', async () => {
  const fleet = await createFleet([]);
  const { project, query } = fleet;
  await project.write(`${FOLDER}/20260101000000_more.js`, ASKS_OF_ALL);
  const wayOf = await watchActivations(fleet);
  const signUp = async (organization: string) => {
    const call = { cwd: project.folder, env: fleet.testDatabase.env };
    expect(await tenantctl(['tenant', 'provision', organization], call)).toMatchObject({ exitCode: 0 });
    return wayOf(organization);
  };

  expect(await signUp('one')).toBe('interactively');
  expect(await signUp('three')).toBe('in parts');
  const why = 'it asks information_schema.tables without a condition on the schema';
  expect(
    await query(
      `SELECT body::jsonb -> 'shown' -> 'interactive' AS why FROM tenantctl.recordings WHERE stem > '2026'`,
    ),
  ).toEqual([{ why }]);
});

test(
  'of code that can tell one process from another it is kept that Knex runs it; beside code that varies, it runs for each tenant of a fleet, too',
  { timeout: 60_000 },
  async () => {
    const fleet = await createFleet([]);
    const write = (name: string, text: string) => fleet.project.write(`${FOLDER}/${name}`, text);
    const up = (value: string) =>
      `export const up = (knex) => knex.schema.createTable('t' + ${value}, (table) => table.text('x'));`;
    await write('20260101000001_clock.js', up('String(Date.now()).slice(0, 1)'));
    await write('20260101000002_environment.js', up('(process.env.NOT_SET ?? 2)'));
    await write('20260101000003_pure.js', up('3'));
    const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };
    await tenantctl(['tenant', 'provision', 'one'], call);
    const rows = await fleet.query<{ stem: string; shown: object }>(
      `SELECT stem, body::jsonb -> 'shown' AS shown FROM tenantctl.recordings WHERE stem > '2026' AND is_usable ORDER BY 1`,
    );
    const needsCommit = false;
    expect(rows).toEqual([
      {
        stem: '20260101000001_clock',
        shown: { interactive: 'it uses Date.now in line 1', needsCommit, code: 'varying' },
      },
      {
        stem: '20260101000002_environment',
        shown: { interactive: 'it uses process.env.NOT_SET in line 1', needsCommit, code: 'fixed' },
      },
      { stem: '20260101000003_pure', shown: { pieces: [{ text: 'create table "t3" ("x" text)' }] } },
    ]);

    for (const schema of ['a', 'b', 'c', 'd'].map((name) => schemaNameFor(name)))
      await fleet.query(
        `CREATE SCHEMA ${schema}; INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('${schema}', '${schema}', 'ACTIVE')`,
      );
    const { exitCode, stderr } = await tenantctl(['migrate', 'tenants', '--verbose'], call);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stderr).toContain(
      'clock.js is run for every tenant separately: it uses Date.now in line 1; 20260101000002_environment.js: it uses process.env.NOT_SET in line 1.',
    );
  },
);

const APPLICATION = `
  import { createRequire } from 'node:module';
  import { openDatabase, provisionTenants } from ${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))};

  const knex = createRequire(import.meta.url)('knex');
  const pg = createRequire(${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))})('pg');
  if (process.env.CHANGE === 'knex') knex.TableBuilder.extend('own', function () { return this.text('x'); });
  let calls = 0;
  if (process.env.CHANGE === 'counter') knex.TableBuilder.extend('own', function () { return this.text('x' + (calls += 1)); });
  if (process.env.CHANGE === 'parser') pg.types.setTypeParser(20, Number);
  if (process.env.CHANGE === 'dates') pg.defaults.parseInputDatesAsUTC = true;
  const database = await openDatabase(JSON.parse(process.env.SETTINGS), { maxConnections: 4 });
  await provisionTenants(database, process.env.ORGANIZATION.split(','), { folder: 'migrations/tenants' });
  await database.close();
`;

/** Provisions tenants with one migration by an application that may have changed Knex or the driver. */
async function application(migration: string) {
  const fleet = await createFleet([]);
  const { folder } = fleet.project;
  await mkdir(join(folder, 'node_modules'));
  await symlink(join(import.meta.dirname, '../../node_modules/knex'), join(folder, 'node_modules/knex'));
  await fleet.project.write('app.mjs', APPLICATION);
  await fleet.project.write(`${FOLDER}/20260101000001_own.js`, migration);
  const SETTINGS = JSON.stringify(fleet.testDatabase.settings);
  const signUp = async (ORGANIZATION: string, CHANGE = '') => {
    const env = { SETTINGS, ORGANIZATION, CHANGE, TZ: 'America/New_York' };
    const { exitCode, stderr } = await startChild(process.execPath, ['app.mjs'], { cwd: folder, env }).done;
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  };
  return { fleet, signUp };
}

test(
  'an application that converts answers or dates in its own way is not sent what others were',
  { timeout: 60_000 },
  async () => {
    const { fleet, signUp } = await application(`
    export async function up(knex) {
      const [{ count }] = await knex('notes').count();
      await knex.schema.createTable('own', (table) => table.text(typeof count));
      await knex('own').insert({ [typeof count]: new Date('2020-01-01T00:00:00Z') });
    }`);
    await signUp('one');
    await signUp('two');
    await signUp('plain');
    await signUp('parser', 'parser');
    await signUp('dates', 'dates');
    const rowsOf = (organization: string) => fleet.query(`SELECT * FROM ${schemaNameFor(organization)}.own`);
    expect(await rowsOf('plain')).toEqual([{ string: '2019-12-31T19:00:00.000-05:00' }]);
    expect(await rowsOf('parser')).toEqual([{ number: '2019-12-31T19:00:00.000-05:00' }]);
    expect(await rowsOf('dates')).toEqual([{ string: '2020-01-01T00:00:00.000+00:00' }]);
  },
);

test('what an application with an extended Knex was sent is not kept', { timeout: 60_000 }, async () => {
  const { fleet, signUp } = await application(
    `export const up = (knex) => knex.schema.createTable('own', (table) => (table.own ?? table.text).call(table, 'y'));`,
  );
  const keptAfter = async (organization: string, change: string) => {
    await signUp(organization, change);
    const rows = await fleet.query<{ stem: string }>(
      `SELECT stem FROM tenantctl.recordings WHERE stem > '2026'`,
    );
    return rows.length;
  };
  expect(await keptAfter('one', 'knex')).toBe(0);
  expect(await keptAfter('two', '')).toBe(1);
});

test(
  'what an extended Knex sends is shown by two tenants, although the code is pure',
  { timeout: 60_000 },
  async () => {
    const { fleet, signUp } = await application(
      `export const up = (knex) => knex.schema.createTable('own', (table) => table.own());`,
    );
    await signUp('one,two,three,four', 'counter');
    const columns = await fleet.query<{ name: string }>(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'own' ORDER BY 1`,
    );
    expect(columns.map(({ name }) => name)).toEqual(['x1', 'x2', 'x3', 'x4']);
  },
);

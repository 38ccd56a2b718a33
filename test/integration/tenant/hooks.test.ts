import { join } from 'node:path';
import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants, type MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { resumeTenants } from '../../../src/core/tenant/resume.ts';
import { suspendTenants } from '../../../src/core/tenant/suspend.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createLeastRole } from '../../support/least-role.ts';
import { createTable, usualProject } from '../../support/project.ts';

/** Hooks that write into audit.seen what they see, and whether a migration's table is there. */
const SEEING = `
const see = (hook) => async ({ tenant, knex, migrations, run }) => {
  const [{ status, tables, history }] = (await knex.raw(
    \`SELECT (SELECT status FROM public.tenants WHERE clerk_org_id = ?) AS status,
            (SELECT count(*)::int FROM pg_tables WHERE schemaname = current_schema() AND tablename !~ '^knex') AS tables,
            (SELECT count(*)::int FROM knex_migrations_tenant) AS history\`, [tenant.clerkOrgId])).rows;
  await knex('audit.seen').insert({ org: tenant.clerkOrgId, hook, status, tables, history, migrations: migrations.join(), run,
    is_its_own: knex.userParams.schema === tenant.schema });
};
export const beforeProvision = see('beforeProvision'), afterProvision = see('afterProvision');
export const beforeMigrate = see('beforeMigrate'), afterMigrate = see('afterMigrate');
export const beforeSuspend = see('beforeSuspend'), afterSuspend = see('afterSuspend');
export const beforeResume = see('beforeResume'), afterResume = see('afterResume');
`;

interface HookedFleet extends TestFleet {
  hooks: string;
  options: Pick<MigrateTenantsOptions, 'folder' | 'hooks'>;
  seen(): Promise<Record<string, string[]>>;
}

async function hooked(organizations: readonly string[], text: string): Promise<HookedFleet> {
  const fleet = await createFleet(organizations);
  await fleet.project.write('tenantctl.hooks.js', text);
  await fleet.query(
    `CREATE SCHEMA audit; CREATE TABLE audit.seen (id serial, org text, hook text, status text, tables int, history int, migrations text, run int, is_its_own boolean);
     CREATE TABLE public.refused (hook text, org text)`,
  );
  const hooks = join(fleet.project.folder, 'tenantctl.hooks.js');
  return {
    ...fleet,
    hooks,
    options: { folder: fleet.project.tenants, hooks },
    async seen() {
      const rows = await fleet.query<{ org: string; line: string }>(
        `SELECT org, concat_ws(' ', hook, status, tables, history, migrations) AS line FROM audit.seen WHERE is_its_own AND run > 0 ORDER BY id`,
      );
      await fleet.query('TRUNCATE audit.seen');
      const byOrganization = Map.groupBy(rows, ({ org }) => org);
      return Object.fromEntries(
        [...byOrganization].map(([org, some]) => [org, some.map(({ line }) => line.trim())]),
      );
    },
  };
}

const IDS = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];
const ofAll = (lines: readonly string[]) => Object.fromEntries(IDS.map((id) => [id, lines]));

test('hooks are called before and after, within the transaction of each tenant', async () => {
  const fleet = await hooked([], SEEING);
  const { database, options } = fleet;
  const both = '20250101000001_notes.sql,20250101000002_tags.sql';

  await provisionTenants(database, IDS, options);
  expect(await fleet.seen()).toEqual(
    ofAll([`beforeProvision PROVISIONING 0 0 ${both}`, `afterProvision PROVISIONING 2 2 ${both}`]),
  );
  await migrateTenants(database, options);
  expect(await fleet.seen()).toEqual({});

  await fleet.query(`
    CREATE TABLE public.sent (in_string boolean);
    CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      EXECUTE 'SELECT current_' || 'query() ~ ''tenantctl.record''' INTO NEW.in_string;
      RETURN NEW;
    END $$;
    CREATE TRIGGER see BEFORE INSERT ON public.sent FOR EACH ROW EXECUTE FUNCTION public.see();`);
  await fleet.add(
    '3_links.sql',
    createTable('links').replace('\n--', '\nINSERT INTO public.sent DEFAULT VALUES;\n--'),
  );
  const { run = 0, totals } = await migrateTenants(database, { ...options, concurrency: 1 });
  expect(totals).toMatchObject({ changed: 5, failed: 0 });
  expect(await fleet.seen()).toEqual(
    ofAll(['beforeMigrate ACTIVE 2 2 3_links.sql', 'afterMigrate ACTIVE 3 3 3_links.sql']),
  );
  expect(await readRunTenants(database, run, { onlyFailed: false })).toHaveLength(5);
  // One tenant shows what to send; the hooks stand around the strings of the others.
  expect(await fleet.query('SELECT count(*)::int AS strings FROM public.sent WHERE in_string')).toEqual([
    { strings: 4 },
  ]);

  await suspendTenants(database, IDS, options);
  expect(await fleet.seen()).toEqual(ofAll(['beforeSuspend ACTIVE 3 3', 'afterSuspend SUSPENDED 3 3']));
  await fleet.add('4_likes.sql', createTable('likes'));
  await resumeTenants(database, IDS, options);
  expect(await fleet.seen()).toEqual(
    ofAll([
      'beforeMigrate SUSPENDED 3 3 4_likes.sql',
      'afterMigrate SUSPENDED 4 4 4_likes.sql',
      'beforeResume SUSPENDED 4 4',
      'afterResume ACTIVE 4 4',
    ]),
  );

  // What was sent before is sent at once. All in all, no hook was called twice.
  await provisionTenants(database, ['org_f'], options);
  expect(Object.values(await fleet.seen()).flat()).toHaveLength(2);
  expect(await fleet.query(`SELECT last_value::int AS calls FROM audit.seen_id_seq`)).toEqual([
    { calls: 5 * 10 + 2 },
  ]);
});

const IN_HOOKS = /^tenantctl\.hooks\.js:2:\d+$/;
/** Hooks that refuse what public.refused lists, after a change of the tenant. */
const REFUSING = `const refuse = (hook) => async ({ tenant, knex }) => { await knex.raw('CREATE TABLE of_' + hook + ' ()');
  if ((await knex('public.refused').where({ hook, org: tenant.clerkOrgId })).length > 0) throw new Error('the billing says no');
  await knex.raw('DROP TABLE of_' + hook); };
${['Provision', 'Migrate', 'Suspend', 'Resume']
  .flatMap((deed) => [`before${deed}`, `after${deed}`])
  .map((name) => `export const ${name} = refuse('${name}');`)
  .join('\n')}
`;

test('what a hook throws rolls back its tenant, and the others are served', async () => {
  const fleet = await hooked([], REFUSING);
  const { database, options } = fleet;
  const statuses = async () => {
    const rows = await fleet.query<{ id: string; status: string }>(
      'SELECT clerk_org_id AS id, status FROM tenants ORDER BY 1',
    );
    return rows.map(({ id, status }) => `${id} ${status}`).join();
  };
  const all = (status: string, of: string) =>
    IDS.map((id) => `${id} ${id === of ? status : status === 'SUSPENDED' ? 'ACTIVE' : 'SUSPENDED'}`).join();
  /** Refuses one tenant, and expects that it fails by the hook, and by nothing else; the others do not. */
  const refusedBy = async (
    hook: string,
    org: string,
    act: () => Promise<readonly { clerkOrgId: string; error?: unknown }[]>,
  ) => {
    await fleet.query('INSERT INTO public.refused VALUES ($1, $2)', [hook, org]);
    const results = await act();
    await fleet.query('TRUNCATE public.refused');
    const failed = results.filter(({ error }) => error !== undefined);
    expect(failed).toMatchObject([
      {
        clerkOrgId: org,
        error: {
          code: 'HOOK_FAILED',
          message: 'the billing says no',
          migration: `${hook} (tenantctl.hooks.js)`,
          at: expect.stringMatching(IN_HOOKS) as string,
        },
      },
    ]);
  };
  const provision = (ids: readonly string[]) => provisionTenants(database, ids, options);
  for (const [hook, org, ids] of [
    ['beforeProvision', 'org_a', IDS.slice(0, 4)],
    ['afterProvision', 'org_e', IDS],
  ] as const) {
    await refusedBy(hook, org, () => provision(ids));
    expect(await statuses()).toContain(`${org} FAILED`);
    expect(await fleet.tables(org)).toEqual([]);
  }
  expect((await provision(IDS)).flatMap(({ error }) => error ?? [])).toEqual([]);

  const migrate = async () => (await migrateTenants(database, options)).tenants;
  for (const [name, hook, org] of [
    ['a', 'beforeMigrate', 'org_a'],
    ['b', 'afterMigrate', 'org_a'],
    ['c', 'beforeMigrate', 'org_e'],
    ['d', 'afterMigrate', 'org_e'],
  ] as const) {
    await fleet.add(`3_${name}.sql`, createTable(name));
    await refusedBy(hook, org, migrate);
    expect(await fleet.tables(org)).not.toContain(name);
    expect(await fleet.tables('org_c')).toContain(name);
    expect((await fleet.status()).tenants).toMatchObject({ upToDate: 4, failed: 1 });
    expect(await migrate()).toMatchObject([{ clerkOrgId: org, names: [`3_${name}.sql`] }]);
  }

  const suspend = async () => (await suspendTenants(database, IDS, options)).tenants;
  const resume = async () => (await resumeTenants(database, IDS, options)).tenants;
  for (const moment of ['before', 'after']) {
    await refusedBy(`${moment}Suspend`, 'org_b', suspend);
    expect(await statuses()).toBe(all('ACTIVE', 'org_b'));
    await suspend();
    await refusedBy(`${moment}Resume`, 'org_c', resume);
    expect(await statuses()).toBe(all('SUSPENDED', 'org_c'));
    await resume();
  }
  expect(await fleet.tables('org_a')).toHaveLength(6);
});

test('beside a migration outside a transaction, a hook has a transaction of its own', async () => {
  const fleet = await hooked(['org_a', 'org_b'], SEEING);
  const outside = (index: string) =>
    `-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY ${index} ON notes (id);`;
  await fleet.add('3_outside.sql', outside('of_3'));
  await fleet.add('4_links.sql', createTable('links'));
  await fleet.add('5_outside.sql', outside('of_5'));
  const all = '3_outside.sql,4_links.sql,5_outside.sql';
  const { run = 0 } = await migrateTenants(fleet.database, fleet.options);
  const lines = [`beforeMigrate ACTIVE 2 2 ${all}`, `afterMigrate ACTIVE 3 5 ${all}`];
  expect(await fleet.seen()).toEqual({ org_a: lines, org_b: lines });
  const entries = await readRunTenants(fleet.database, run, { onlyFailed: false });
  expect(entries.map(({ names }) => names?.join())).toEqual([all, all]);

  const usual = '20250101000001_notes.sql,20250101000002_tags.sql';
  await provisionTenants(fleet.database, ['org_c'], fleet.options);
  expect(await fleet.seen()).toEqual({
    org_c: [
      `beforeProvision PROVISIONING 0 0 ${usual},${all}`,
      `afterProvision PROVISIONING 3 5 ${usual},${all}`,
    ],
  });

  await fleet.project.write(
    'tenantctl.hooks.cjs',
    `exports.afterMigrate = exports.afterProvision = () => { throw new Error('no'); };`,
  );
  const refusing = { ...fleet.options, hooks: join(fleet.project.folder, 'tenantctl.hooks.cjs') };
  await fleet.add('6_outside.sql', outside('of_6'));
  const { tenants } = await migrateTenants(fleet.database, { ...refusing, tenants: ['org_a'] });
  expect(tenants).toMatchObject([{ names: ['6_outside.sql'], error: { code: 'HOOK_FAILED' } }]);
  expect(await fleet.history('org_a')).toHaveLength(6);
  const [provisioned] = await provisionTenants(fleet.database, ['org_d'], refusing);
  expect(provisioned).toMatchObject({ outcome: 'failed', error: { code: 'HOOK_FAILED' } });
  expect(await fleet.tables('org_d')).toEqual([]);
});

test('the guard, the settings and the retries are those of migrations', async () => {
  const fleet = await hooked(IDS, '');
  await fleet.query('CREATE SEQUENCE public.calls; CREATE TABLE public.shared (id int)');
  const other = schemaNameFor('org_b');
  const attempt = async (body: string, only?: string) => {
    const file = `${await nextNumber(fleet)}.hooks.js`;
    const text = `export async function afterMigrate({ knex, tenant }) { ${only === undefined ? '' : `if (tenant.clerkOrgId !== '${only}') return;`} ${body} }
      export const beforeSuspend = afterMigrate;`;
    await fleet.project.write(file, text);
    return { folder: fleet.project.tenants, hooks: join(fleet.project.folder, file) };
  };
  await fleet.add('3_links.sql', createTable('links'));
  const refused = [
    [`await knex.raw('INSERT INTO ${other}.notes VALUES (1)')`, 'MIGRATION_OUTSIDE_SCHEMA'],
    [`await knex.raw('ALTER TABLE public.shared ADD COLUMN more int')`, 'MIGRATION_OUTSIDE_SCHEMA'],
    [
      `await knex.raw("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'public.shared'; END $$")`,
      'MIGRATION_OUTSIDE_SCHEMA',
    ],
    [`await knex.raw('COMMIT')`, 'HOOK_FAILED'],
    [`await knex.raw('SELECT 1'); knex('notes').insert({ id: 2 });`, 'HOOK_FAILED'],
  ] as const;
  for (const [nth, [body, code]] of refused.entries()) {
    // One that shows what to send, and one that is sent it.
    for (const only of nth === 0 ? ['org_a', 'org_e'] : [nth % 2 === 0 ? 'org_a' : 'org_e']) {
      const options = await attempt(body, only);
      const names = { tenants: ['org_a', 'org_c', 'org_d', 'org_e'] };
      const { tenants } = await migrateTenants(fleet.database, { ...options, ...names });
      const failed = tenants.filter(({ error }) => error !== undefined);
      expect(failed.map(({ clerkOrgId, error }) => [clerkOrgId, error?.code, body])).toEqual([
        [only, code, body],
      ]);
      const suspended = await suspendTenants(fleet.database, [only], options);
      expect(suspended.tenants[0]?.error?.code).toBe(code);
      await fleet.rollback({ tenants: names.tenants.filter((id) => id !== only) });
    }
  }
  expect(await fleet.query('SELECT * FROM public.shared')).toEqual([]);

  const passing = await attempt(
    `await knex.raw("SET search_path = public; SET LOCAL role TO DEFAULT; SET lock_timeout = 7");
     await knex.raw("DO $$ BEGIN IF nextval('public.calls') <= 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF; END $$")`,
  );
  expect((await migrateTenants(fleet.database, passing)).totals).toMatchObject({ changed: 5, failed: 0 });
  await fleet.query('ALTER SEQUENCE public.calls RESTART');
  const { tenants } = await suspendTenants(fleet.database, ['org_a'], passing);
  expect(tenants).toMatchObject([{ outcome: 'suspended' }]);
  expect(await fleet.query('SELECT last_value::int AS calls FROM public.calls')).toEqual([{ calls: 4 }]);
});

test('what a hook does to its call or to the status of its tenant, it does to itself', async () => {
  const fleet = await hooked(
    ['org_a'],
    `export const beforeMigrate = ({ migrations }) => void (migrations.length = 0);
     export const afterMigrate = ({ knex, migrations, run }) => knex('audit.seen').insert({ org: 'org_a', run, is_its_own: true, migrations: migrations.join() });
     const set = (status) => ({ knex }) => knex.raw('UPDATE public.tenants SET status = ?', [status]);
     export const beforeSuspend = set('SUSPENDED'), afterResume = set('ARCHIVED');`,
  );
  const { database, options } = fleet;
  await fleet.add('3_links.sql', createTable('links'));
  await migrateTenants(database, options);
  expect(await fleet.seen()).toEqual({ org_a: ['3_links.sql'] });

  const refused = async (call: typeof suspendTenants | typeof resumeTenants, hook: string) => {
    const { tenants } = await call(database, ['org_a'], options);
    const error = { code: 'HOOK_FAILED', migration: `${hook} (tenantctl.hooks.js)` };
    expect(tenants).toMatchObject([{ outcome: 'failed', error }]);
  };
  await refused(suspendTenants, 'beforeSuspend');
  await suspendTenants(database, ['org_a']);
  await refused(resumeTenants, 'afterResume');
  expect(await fleet.query('SELECT status FROM public.tenants')).toEqual([{ status: 'SUSPENDED' }]);
});

test('a hook that never ends is named, with what the server did', async () => {
  const { database, options } = await hooked(
    ['org_a'],
    `export async function beforeSuspend({ knex }) {
       await knex.raw('SET idle_in_transaction_session_timeout = 50');
       await new Promise(() => {});
     }`,
  );
  const { tenants } = await suspendTenants(database, ['org_a'], { ...options, retries: 0 });
  const hint = expect.stringContaining('waits for something other than the database') as string;
  const error = { sqlstate: '25P03', migration: 'beforeSuspend (tenantctl.hooks.js)', hint };
  expect(tenants).toMatchObject([{ outcome: 'failed', error }]);
});

async function nextNumber({ query }: TestFleet): Promise<number> {
  const rows = await query<{ n: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS n',
  );
  return rows[0]?.n ?? 0;
}

test('hooks run with the rights of the tenant, beside seeds and scripts; not for what was never provisioned', async () => {
  const least = await createLeastRole('CREATEROLE');
  const { query } = least.testDatabase;
  const project = await usualProject({
    'seeds/tenants/1_notes.sql': 'INSERT INTO notes VALUES (1);',
    'repeatable/tenants/count.sql': 'CREATE OR REPLACE VIEW counted AS SELECT count(*)::int AS n FROM notes;',
    'tenantctl.hooks.js': `
      const see = (hook) => async ({ knex, migrations }) => {
        const [{ n }] = hook.startsWith('after') || hook.endsWith('Suspend') ? await knex('counted') : [{ n: 0 }];
        await knex.raw('INSERT INTO seen SELECT current_user, ?, ?, ?', [hook, n, migrations.length]);
      };
      export const beforeProvision = see('beforeProvision'), afterProvision = see('afterProvision');
      export const beforeMigrate = see('beforeMigrate'), afterMigrate = see('afterMigrate');
      export const beforeSuspend = see('beforeSuspend'), afterResume = see('afterResume');`,
  });
  const database = await least.open();
  await migrateMaster(database, { folder: project.master });
  await query(
    `CREATE TABLE seen (by text, hook text, notes int, migrations int); GRANT INSERT ON seen TO PUBLIC`,
  );
  const options = {
    folder: project.tenants,
    hooks: join(project.folder, 'tenantctl.hooks.js'),
    repeatableFolder: join(project.folder, 'repeatable/tenants'),
    tenantRole: `${least.prefix}_{schema}`,
  };
  const ids = ['org_a', 'org_b', 'org_c'];
  const results = await provisionTenants(database, ids, {
    ...options,
    seedFolder: join(project.folder, 'seeds/tenants'),
  });
  expect(results.flatMap(({ error }) => error ?? [])).toEqual([]);
  await project.write('repeatable/tenants/count.sql', 'CREATE OR REPLACE VIEW counted AS SELECT 7 AS n;');
  expect((await migrateTenants(database, options)).totals).toMatchObject({ changed: 3, failed: 0 });
  const { tenants } = await suspendTenants(database, [...ids, 'org_new'], { ...options, unfinished: true });
  expect(tenants.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 4 }, () => 'suspended'));
  await resumeTenants(database, ids, options);
  for (const id of ids) {
    const role = `${least.prefix}_${schemaNameFor(id)}`;
    const rows = await query<{ line: string }>(
      `SELECT concat_ws(' ', hook, notes, migrations) AS line FROM seen WHERE by = '${role}' ORDER BY ctid`,
    );
    expect(rows.map(({ line }) => line)).toEqual([
      'beforeProvision 0 3',
      'afterProvision 1 3',
      'beforeMigrate 0 1',
      'afterMigrate 7 1',
      'beforeSuspend 7 0',
      'afterResume 7 0',
    ]);
  }
  expect(await query('SELECT count(*)::int AS n FROM seen')).toEqual([{ n: 18 }]);
});

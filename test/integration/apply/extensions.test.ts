import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants, type MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import type { FleetResult } from '../../../src/core/report/results.ts';
import type { TestFleet } from '../../support/fleet.ts';
import { createLeastRole } from '../../support/least-role.ts';
import { createProject, USUAL_FILES } from '../../support/project.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

const TENANTS = ['org_a', 'org_b', 'org_c', 'org_d'];
const [FIRST = '', NEIGHBOUR = ''] = TENANTS.map(schemaNameFor);

let standing: StandingFleet;
let fleet: TestFleet;
let warnings: string[] = [];
let number = 0;

beforeAll(async () => {
  standing = await standingFleet(TENANTS, USUAL_FILES);
  ({ fleet } = standing);
  await fleet.query('DROP EXTENSION IF EXISTS vector');
});

afterAll(() => standing.close());

const observe: MigrateTenantsOptions['observe'] = (event) =>
  event.type === 'warning' && warnings.push(event.message);

/** Runs the work with one more tenant migration. Afterwards the database is as it was. */
async function withMigration(format: string, text: string, work: () => Promise<void>): Promise<void> {
  warnings = [];
  // Node.js caches modules by their paths.
  const name = `3_${(number += 1)}.${format}`;
  await fleet.add(name, text);
  try {
    await work();
  } finally {
    await fleet.project.remove(`migrations/tenants/${name}`);
    await fleet.query('DROP EXTENSION IF EXISTS citext, xml2, hstore CASCADE');
    for (const schema of TENANTS.map(schemaNameFor)) {
      await fleet.query(`DROP TABLE IF EXISTS ${schema}.mails`);
      await fleet.query(`DELETE FROM ${schema}.knex_migrations_tenant WHERE name LIKE '3%'`);
    }
    await fleet.query('TRUNCATE tenantctl.stamps; DELETE FROM tenantctl.migration_files');
  }
}

const migrate = (options: Partial<MigrateTenantsOptions> = {}) =>
  fleet.migrate({ observe, retries: 0, vectorExtension: 'off', ...options });

const errorsOf = ({ tenants }: FleetResult) => tenants.flatMap(({ error }) => error?.message ?? []);

async function extensions(): Promise<Record<string, string>> {
  const rows = await fleet.query<{ name: string; schema: string }>(
    `SELECT extname AS name, extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname <> 'plpgsql'`,
  );
  return Object.fromEntries(rows.map(({ name, schema }) => [name, schema]));
}

const MAILS = 'CREATE TABLE mails (mail citext)';
const inSql = (...statements: string[]) => `-- migrate:up\n${statements.join(';\n')};\n`;
const inKnex = (config: string, ...statements: string[]) =>
  `export const up = async (knex) => { ${statements.map((text) => `await knex.raw(${JSON.stringify(text)});`).join(' ')} };\n${config}`;
const CREATE = 'CREATE EXTENSION IF NOT EXISTS citext';
const OUTSIDE = 'export const config = { transaction: false };';
const IN_DO = "DO $$ BEGIN EXECUTE 'CREATE EXTENSION IF NOT EXISTS citext'; END $$";

test.each<[string, string, string, Partial<MigrateTenantsOptions>?]>([
  ['in an .sql file', 'sql', inSql(`/* of ours */ ${CREATE}`, MAILS)],
  ['statement by statement', 'sql', inSql(CREATE, MAILS), { compile: false }],
  ['in Knex', 'js', inKnex('', CREATE, MAILS)],
  ['in one string of Knex', 'js', inKnex('', `${CREATE}; ${MAILS}`)],
  ['without IF NOT EXISTS', 'js', inKnex('', 'CREATE EXTENSION citext', MAILS)],
  ['in a DO block', 'sql', inSql(IN_DO, MAILS)],
  ['outside a transaction', 'sql', inSql(CREATE, MAILS).replace('up', 'up transaction:false')],
  ['in Knex outside a transaction', 'js', inKnex(OUTSIDE, CREATE, MAILS)],
  ['in a DO block outside a transaction', 'js', inKnex(OUTSIDE, IN_DO, MAILS)],
])(
  'an extension that a migration creates is in public, where every tenant finds it: %s',
  async (_, name, text, options = {}) => {
    await withMigration(name, text, async () => {
      const result = await migrate(options);
      expect(errorsOf(result)).toEqual([]);
      expect(await extensions()).toEqual({ citext: 'public' });
      expect(warnings.filter((warning) => warning.includes('public'))).toHaveLength(1);
      const types = await fleet.query(
        `SELECT DISTINCT atttypid::regtype::text AS type FROM pg_attribute WHERE attname = 'mail'`,
      );
      expect(types).toEqual([{ type: 'citext' }]);
    });
  },
);

test('the first tenant that succeeds creates it, whoever failed before', async () => {
  await withMigration('sql', inSql(CREATE, MAILS), async () => {
    await fleet.query(`CREATE TABLE ${FIRST}.mails ()`);
    expect((await migrate()).totals).toMatchObject({ changed: 3, failed: 1 });
    expect(await extensions()).toEqual({ citext: 'public' });
  });
});

test('a single tenant and a new one create it in public, and a dry run creates nothing', async () => {
  await withMigration('sql', inSql(CREATE, MAILS), async () => {
    const options = {
      folder: fleet.project.tenants,
      masterFolder: fleet.project.master,
      vectorExtension: 'off',
    } as const;
    const rehearsal = await rehearseTenants(fleet.database, options);
    expect(rehearsal.plans.flatMap(({ migrations }) => migrations.map(({ error }) => error))).toEqual([
      undefined,
    ]);
    expect(rehearsal.warnings).toEqual([expect.stringContaining('in public')]);
    expect(await extensions()).toEqual({});
    expect(errorsOf(await migrate({ tenants: ['org_c'] }))).toEqual([]);
    expect(await extensions()).toEqual({ citext: 'public' });
  });
  await withMigration('sql', inSql(IN_DO, MAILS), async () => {
    const made = await provisionTenants(fleet.database, ['org_new'], {
      folder: fleet.project.tenants,
      vectorExtension: 'off',
      observe,
    });
    expect(made.map(({ outcome }) => outcome)).toEqual(['provisioned']);
    expect(await extensions()).toEqual({ citext: 'public' });
    await fleet.query(`DROP SCHEMA ${schemaNameFor('org_new')} CASCADE`);
    await fleet.query(`DELETE FROM public.tenants WHERE clerk_org_id = 'org_new'`);
  });
});

test('one that cannot be moved is created in public all the same; where that is impossible, nothing is left', async () => {
  await withMigration('sql', inSql('CREATE EXTENSION xml2'), async () => {
    expect(errorsOf(await migrate())).toEqual([]);
    expect(await extensions()).toEqual({ xml2: 'public' });
  });
  await withMigration('sql', inSql('DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS xml2; END $$'), async () => {
    const { tenants } = await migrate();
    for (const { error } of tenants)
      expect(error?.hint).toContain('CREATE EXTENSION IF NOT EXISTS "xml2" WITH SCHEMA public;');
    expect(tenants).toHaveLength(TENANTS.length);
    expect(await extensions()).toEqual({});
  });
});

test('WITH SCHEMA public is accepted for every extension, in one string with what it brings', async () => {
  const rows = await fleet.query<{ name: string }>(
    `SELECT quote_ident(name) AS name FROM pg_available_extensions
     WHERE name ~ '^(citext|hstore|pg_trgm|vector|tablefunc|ltree|pgcrypto|uuid-ossp|btree_gist|btree_gin|unaccent|cube|earthdistance|intarray|isn|seg|lo|postgres_fdw|file_fdw|dblink|bloom|tsm_system_rows|pg_stat_statements|xml2|fuzzystrmatch)$'`,
  );
  expect(rows.length).toBeGreaterThan(15);
  const creations = rows.map(
    ({ name }) => `CREATE EXTENSION IF NOT EXISTS ${name} WITH SCHEMA public CASCADE`,
  );
  await withMigration('sql', inSql(...creations), async () => {
    expect(errorsOf(await migrate())).toEqual([]);
    expect(warnings).toEqual([]);
    expect(new Set(Object.values(await extensions()))).toEqual(new Set(['public']));
    await fleet.query(`DROP EXTENSION ${rows.map(({ name }) => name).join(', ')} CASCADE`);
  });
});

test.each([
  ['in SQL', inSql(`CREATE EXTENSION citext SCHEMA ${NEIGHBOUR}`), `names ${NEIGHBOUR}`],
  [
    'outside a transaction',
    inSql(`CREATE EXTENSION citext SCHEMA ${NEIGHBOUR}`).replace('up', 'up transaction:false'),
    `names ${NEIGHBOUR}`,
  ],
  [
    'in a DO block',
    inSql(`DO $$ BEGIN EXECUTE 'CREATE EXTENSION citext SCHEMA ${NEIGHBOUR}'; END $$`),
    'created the extension citext',
  ],
  [
    'moved by a DO block',
    inSql(
      `DO $$ BEGIN CREATE EXTENSION citext; EXECUTE 'ALTER EXTENSION citext SET SCHEMA ${NEIGHBOUR}'; END $$`,
    ),
    'created the extension citext',
  ],
])('no extension is put into another tenant’s schema, %s', async (_, text, says) => {
  await withMigration('sql', text, async () => {
    const { tenants } = await migrate({ tenants: ['org_a'] });
    expect(tenants.map(({ error }) => error)).toEqual([
      expect.objectContaining({ code: 'MIGRATION_OUTSIDE_SCHEMA', message: expect.stringContaining(says) }),
    ]);
    expect(await extensions()).toEqual({});
  });
});

test('one that is in another tenant’s schema is an error, with the statement that moves it', async () => {
  await withMigration('sql', inSql(CREATE, MAILS), async () => {
    await fleet.query(`CREATE EXTENSION citext SCHEMA ${NEIGHBOUR}`);
    const [failed] = (await migrate({ tenants: ['org_a'] })).tenants;
    expect(failed?.error?.message).toContain(`The extension citext is in ${NEIGHBOUR}`);
    await fleet.query(/ALTER EXTENSION [^;]+;/.exec(failed?.error?.hint ?? '')?.[0] ?? 'no remedy');
    expect(errorsOf(await migrate())).toEqual([]);
  });
});

const DOWN = '-- migrate:down\nDROP TABLE mails;\nDROP EXTENSION IF EXISTS citext;\n';

test.each([
  ['sql', inSql('CREATE EXTENSION citext', MAILS) + DOWN],
  [
    'sql',
    (inSql('CREATE EXTENSION citext', MAILS) + DOWN).replaceAll(/migrate:\w+/g, '$& transaction:false'),
  ],
  [
    'js',
    `${inKnex('', 'CREATE EXTENSION citext', MAILS)}export const down = async (knex) => { await knex.raw('DROP TABLE mails'); await knex.raw('DROP EXTENSION citext'); };`,
  ],
])(
  'a rollback leaves out the drop of an extension that tenants share, and the way up is open again: %s %#',
  async (name, text) => {
    await withMigration(name, text, async () => {
      for (const _ of ['once', 'again']) {
        expect(errorsOf(await migrate())).toEqual([]);
        warnings = [];
        const undone = await fleet.rollback({ observe, ...(_ === 'once' && { tenants: ['org_b'] }) });
        expect(errorsOf(undone)).toEqual([]);
        expect(warnings).toEqual([
          expect.stringMatching(/^3_\d+\.\w+ drops the extension citext\. This was left out/),
        ]);
        expect(await extensions()).toEqual({ citext: 'public' });
      }
      expect(await fleet.history('org_a')).toHaveLength(2);
    });
  },
);

test('a drop that a migration allows itself is done, unless it would take something from another tenant', async () => {
  const allowed = (drop: string) =>
    inSql(CREATE, MAILS) +
    DOWN.replace('down', 'down allow-outside:citext').replace('DROP EXTENSION IF EXISTS citext', drop);
  await withMigration('sql', allowed('DROP EXTENSION citext CASCADE'), async () => {
    await migrate();
    const [refused] = (await fleet.rollback({ tenants: ['org_a'] })).tenants;
    expect(refused?.error?.code).toBe('MIGRATION_OUTSIDE_SCHEMA');
    expect(refused?.error?.message).toMatch(/changed the table tid_\w+\.mails/);
    expect(refused?.error?.hint).toContain('no tenant migration may reach');
  });
  await withMigration('sql', allowed('DROP EXTENSION IF EXISTS citext'), async () => {
    await migrate({ tenants: ['org_a'] });
    expect(errorsOf(await fleet.rollback())).toEqual([]);
    expect(await extensions()).toEqual({});
  });
});

test('as a role with the documented rights: a trusted extension is created in public, another names what helps', async () => {
  const least = await createLeastRole();
  const project = await createProject(USUAL_FILES);
  const options = { folder: project.tenants, masterFolder: project.master, retries: 0 };
  const database = await least.open();
  await migrateMaster(database, { folder: project.master });
  await provisionTenants(database, ['org_a', 'org_b', 'org_c'], { folder: project.tenants });
  await project.write('migrations/tenants/3.sql', inSql('CREATE EXTENSION citext', MAILS));
  const [server] = await least.testDatabase.query<{ trusts: boolean }>(
    `SELECT current_setting('server_version_num')::int >= 130000 AS trusts`,
  );
  const failed = server?.trusts === true ? 0 : 3;
  expect((await migrateTenants(database, options)).totals).toMatchObject({ failed });
  await project.write('migrations/tenants/4.sql', inSql('CREATE EXTENSION IF NOT EXISTS "xml2"'));
  const { tenants } = await migrateTenants(database, options);
  const hint = tenants[0]?.error?.hint ?? '';
  await least.testDatabase.query(/CREATE EXTENSION [^;]+;/.exec(hint)?.[0] ?? hint);
  expect((await migrateTenants(database, options)).totals).toMatchObject({ failed });
});

import createKnex, { type Knex } from 'knex';
import { expect, onTestFinished, test } from 'vitest';
import { readEnvironment, requireSettings } from '../../../src/config/environment.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { rollbackMaster } from '../../../src/core/commands/rollback-master.ts';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import { queryTenants } from '../../../src/core/query/query-tenants.ts';
import { newSchemaName } from '../../../src/core/registry/schema-name.ts';
import { qualified } from '../../../src/db/sql.ts';
import { DEFAULT_NAMES, type Names } from '../../../src/names.ts';
import { catalogOf } from '../../support/catalog.ts';
import { intentOf } from '../../support/remember.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { fleetOn } from '../../support/fleet.ts';
import { commonJs, KNEX_TABLE } from '../../support/knex-project.ts';
import { createProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

/** What such a project's .env says, and how it creates its registry. */
const PROJECTS = [
  {
    title: 'customers(slug, db_schema, state)',
    variables: {
      REGISTRY_TABLE: 'public.customers',
      REGISTRY_COLUMNS: 'organization=slug,schema=db_schema,status=state',
      REGISTRY_STATUSES: 'PROVISIONING=new,ACTIVE=live|trial,FAILED=broken,SUSPENDED=paused,ARCHIVED=gone',
      MASTER_HISTORY_TABLE: 'knex_migrations',
      TENANT_HISTORY_TABLE: 'knex_migrations',
    },
    create: `CREATE TABLE customers (
      id serial PRIMARY KEY, slug text NOT NULL UNIQUE, db_schema text UNIQUE, plan text NOT NULL,
      state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'live', 'trial', 'broken', 'paused', 'gone', 'lost')))`,
  },
  {
    title: 'names that need quotes, a uuid and an enum',
    variables: {
      REGISTRY_TABLE: 'Central Office.Customer-List',
      REGISTRY_COLUMNS: 'organization=order,schema=Db Schema,status=user,updated=changed.at',
      REGISTRY_STATUSES: 'PROVISIONING=new,ACTIVE=live|trial,FAILED=broken,SUSPENDED=paused,ARCHIVED=gone',
      MASTER_HISTORY_TABLE: 'Knex-History',
      TENANT_HISTORY_TABLE: 'select',
      TENANT_SCHEMA_PREFIX: 'Größe-%I-',
    },
    create: `CREATE SCHEMA "Central Office"; CREATE TYPE state AS ENUM ('new', 'live', 'trial', 'broken', 'paused', 'gone', 'lost');
      CREATE TABLE "Central Office"."Customer-List" (
        id serial PRIMARY KEY, "order" uuid NOT NULL UNIQUE, "Db Schema" varchar(63) UNIQUE, plan text NOT NULL,
        "user" state DEFAULT 'new', "changed.at" timestamptz)`,
  },
];

/** A project that plain Knex has been migrating, with two customers, and what belongs to it. */
async function adopted({ variables, create }: (typeof PROJECTS)[number]) {
  const environment = { DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'd', ...variables };
  const { names } = requireSettings(readEnvironment(environment, { folder: '/nowhere' }));
  const testDatabase = await createDatabase();
  const project = await createProject({
    'package.json': '{}',
    'migrations/master/1_areas.js': commonJs(...KNEX_TABLE('areas')),
    'migrations/master/2_customers.js': commonJs(
      `await knex.raw(\`${create}\`);`,
      `await knex.raw('DROP TABLE ${tableOf(names)} CASCADE');`,
    ),
    'migrations/tenants/1_notes.js': commonJs(...KNEX_TABLE('notes')),
  });
  const knexFor = (schema: string) => plainKnex(testDatabase, names, project, schema);
  await knexFor('public').migrate.latest();
  const ids = ['0a000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000002'];
  for (const [at, id] of ids.entries()) {
    await testDatabase.query(`CREATE SCHEMA "customer ${at}"`);
    await insert(testDatabase, names, id, `customer ${at}`, ['live', 'trial'][at] ?? '');
    await knexFor(`customer ${at}`).migrate.latest();
  }
  const database = await testDatabase.open(5, names);
  return {
    names,
    testDatabase,
    project,
    knexFor,
    ids,
    database,
    fleet: fleetOn(testDatabase, database, project),
  };
}

function tableOf({ registry }: Names): string {
  return qualified(registry.schema, registry.table);
}

async function insert(
  { query }: TestServerDatabase,
  names: Names,
  id: string,
  schema: string | null,
  state: string,
): Promise<void> {
  const [organization, column, status] = [
    names.columns.organization,
    names.columns.schema,
    names.columns.status,
  ];
  await query(
    `INSERT INTO ${tableOf(names)} ("${organization}", "${column}", "${status}", plan) VALUES ('${id}', $1, '${state}', 'free')`,
    [schema],
  );
}

function plainKnex(
  testDatabase: TestServerDatabase,
  names: Names,
  project: { readonly master: string; readonly tenants: string },
  schema: string,
): Knex {
  const isMaster = schema === 'public';
  const knex = createKnex({
    client: 'pg',
    connection: testDatabase.url,
    searchPath: [schema, 'public'],
    pool: { min: 0, max: 2 },
    migrations: {
      directory: isMaster ? project.master : project.tenants,
      tableName: isMaster ? names.masterHistory : names.tenantHistory,
      schemaName: schema,
    },
  });
  onTestFinished(() => knex.destroy());
  return knex;
}

/** What Knex finds to do. */
async function latest(knex: Knex): Promise<string[]> {
  const [, found] = (await knex.migrate.latest()) as [number, string[]];
  return found;
}

test.each(PROJECTS)(
  'a project with $title is adopted by variables alone, and plain Knex goes on, too',
  async (kind) => {
    const { names, testDatabase, project, knexFor, ids, database, fleet } = await adopted(kind);
    const [first = '', second = ''] = ids;
    const folders = { master: project.master, tenants: project.tenants };
    const doctor = async (with_?: Names) =>
      (
        await diagnose({
          nodeVersion: '24.0.0',
          database: testDatabase.settings,
          databaseNames: with_,
          folders,
        })
      ).checks;
    const registry = async () =>
      (await catalogOf(testDatabase)).filter(
        (line) => line.includes(names.registry.table) && !line.includes('tenantctl.'),
      );
    const asItWas = await registry();
    expect(asItWas.length).toBeGreaterThan(3);

    // The doctor knows what is missing in the configuration, and is content with it.
    const findings = new Map((await doctor()).map((check) => [check.id, check]));
    const { organization, schema, status } = names.columns;
    expect(findings.get('knex-histories')?.remedy).toBe(
      [
        'Set these variables:',
        `MASTER_HISTORY_TABLE=${names.masterHistory}`,
        `TENANT_HISTORY_TABLE=${names.tenantHistory}`,
        `REGISTRY_TABLE=${names.registry.schema}.${names.registry.table}`,
        `REGISTRY_COLUMNS=organization=${organization},schema=${schema},status=${status}`,
      ].join('\n'),
    );
    const worries = (await doctor(names)).filter(({ status }) => status === 'failed' || status === 'warning');
    expect(worries.map(({ id }) => id).filter((id) => id !== 'vector-extension')).toEqual(
      ['node', 'state-schema'].filter((id) => worries.some((worry) => worry.id === id)),
    );

    // tenantctl continues what Knex began.
    expect((await migrateMaster(database, { folder: project.master })).names).toEqual([]);
    await project.write('migrations/master/3_more.js', commonJs(...KNEX_TABLE('more')));
    await fleet.add('2_tags.js', commonJs(...KNEX_TABLE('tags')));
    await fleet.add('3_files.js', commonJs(...KNEX_TABLE('files')));
    expect((await migrateMaster(database, { folder: project.master })).names).toEqual(['3_more.js']);
    const rehearsal = await rehearseTenants(database, { folder: project.tenants, tenants: [first] });
    expect(rehearsal.plans[0]?.targets).toEqual([{ clerkOrgId: first, schema: 'customer 0' }]);
    expect((await fleet.migrate({ tenants: [first] })).totals).toMatchObject({ changed: 1, failed: 0 });
    expect((await fleet.status()).tenants).toMatchObject({
      total: 2,
      byStatus: { ACTIVE: 2 },
      upToDate: 1,
      behind: 1,
    });
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 1, failed: 0 });

    // Knex continues what tenantctl did, and tenantctl sees it at once.
    for (const schema of ['public', 'customer 0', 'customer 1'])
      expect(await latest(knexFor(schema))).toEqual([]);
    await knexFor('customer 1').migrate.rollback();
    expect((await fleet.status()).states[0]).toMatchObject({
      tenant: { clerkOrgId: second },
      pending: ['2_tags.js', '3_files.js'],
    });
    await project.write('migrations/tenants/4_links.js', commonJs(...KNEX_TABLE('links')));
    expect(await latest(knexFor('customer 1'))).toEqual(['2_tags.js', '3_files.js', '4_links.js']);
    expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 1, failed: 0 });
    expect((await fleet.rollback()).totals).toMatchObject({ changed: 2, failed: 0 });

    // An interrupted migration is resolved under the organization's own name.
    await testDatabase.query(intentOf('customer 1', '4_links.js'));
    expect((await fleet.status()).states.map(({ attention }) => attention?.code)).toContain('INTERRUPTED');
    expect(await resolveInterrupted(database, { tenant: second, answer: 'retry' })).toMatchObject({
      migration: '4_links.js',
    });

    // A query over the fleet finds its tenants there, too.
    const asked: string[] = [];
    await queryTenants(database, {
      sql: 'SELECT current_schema() AS schema',
      tenants: [second],
      onRows: ({ tenant, rows }) => void asked.push(`${tenant.clerkOrgId} ${JSON.stringify(rows)}`),
    });
    expect(asked).toEqual([expect.stringMatching(`^${second} .*customer 1`)]);

    expect(await registry()).toEqual(asItWas);
    expect(
      await refusalOf(rollbackMaster(database, { folder: project.master, extent: { all: true } })),
    ).toMatchObject({ code: 'REGISTRY_IN_USE' });
  },
);

test.each(PROJECTS)('tenants of $title are made of rows that the application inserts', async (kind) => {
  const { names, testDatabase, project, knexFor, ids, database, fleet } = await adopted(kind);
  await migrateMaster(database, { folder: project.master });
  const [fresh, failing, paused, unknown, absent, lost] = ['1', '2', '3', '4', '5', '6'].map(
    (digit) => `0c000000-0000-4000-8000-00000000000${digit}`,
  ) as [string, string, string, string, string, string];
  const expected = newSchemaName(names, fresh);
  await insert(testDatabase, names, fresh, null, 'new');
  await insert(testDatabase, names, paused, null, 'paused');
  await insert(testDatabase, names, unknown, null, 'lost');
  await insert(testDatabase, names, lost, 'customer 0 of old', 'lost');

  // Waiting rows are no tenants yet, and a value that stands for no status is shown as it is.
  expect((await fleet.status()).tenants).toMatchObject({
    total: 6,
    byStatus: { ACTIVE: 2, PROVISIONING: 1, SUSPENDED: 1, lost: 2 },
  });
  expect((await fleet.migrate()).totals).toMatchObject({ selected: 2 });
  const doctor = await diagnose({
    nodeVersion: '24.0.0',
    database: testDatabase.settings,
    databaseNames: names,
  });
  expect(doctor.checks.find(({ id }) => id === 'registry')).toMatchObject({
    status: 'warning',
    detail: expect.stringContaining('holds lost, which maps to no status'),
    remedy: expect.stringContaining('REGISTRY_STATUSES=ACTIVE=live|trial|lost'),
  });

  const results = await fleet.provision(fresh, paused, unknown, absent, ids[0] ?? '');
  expect(results.map(({ outcome, error }) => error?.code ?? outcome)).toEqual([
    'provisioned',
    'TENANT_NOT_ACTIVE',
    'TENANT_NOT_ACTIVE',
    'TENANT_UNKNOWN',
    'already-active',
  ]);
  expect(results[0]?.schema).toBe(expected);
  expect(results[2]?.error?.hint).toContain('REGISTRY_STATUSES: PROVISIONING=...|lost');
  expect(results[3]?.error?.message).toContain('it needs values for plan');
  expect(results[3]?.error?.hint).toContain(`${names.columns.organization} = '${absent}'`);
  const [organization, schema, status] = [
    names.columns.organization,
    names.columns.schema,
    names.columns.status,
  ];
  const rowOf = async (id: string) =>
    (
      await testDatabase.query(
        `SELECT "${schema}" AS schema, "${status}" AS state FROM ${tableOf(names)} WHERE "${organization}" = '${id}'`,
      )
    )[0];
  expect(await rowOf(fresh)).toEqual({ schema: expected, state: 'live' });
  expect(await rowOf(paused)).toEqual({ schema: null, state: 'paused' });
  expect(await latest(knexFor(expected))).toEqual([]);

  await fleet.add('9_bad.js', commonJs('await knex.raw("SELECT 1/0");', ''));
  await insert(testDatabase, names, failing, null, 'new');
  expect((await fleet.provision(failing))[0]?.outcome).toBe('failed');
  expect(await rowOf(failing)).toEqual({ schema: newSchemaName(names, failing), state: 'broken' });
  await project.remove('migrations/tenants/9_bad.js');
  expect((await fleet.provision(failing))[0]?.outcome).toBe('provisioned');
  expect(await rowOf(failing)).toMatchObject({ state: 'live' });
});

test('a database that is managed under some names is not touched under others, until they are changed on purpose', async () => {
  const { names, testDatabase, project, fleet, database } = await adopted(
    PROJECTS[0] as (typeof PROJECTS)[number],
  );
  await migrateMaster(database, { folder: project.master });
  await fleet.migrate();
  const stamps = () => testDatabase.query('SELECT schema_name FROM tenantctl.trusted_stamps');
  expect(await stamps()).toHaveLength(2);

  // Somebody has forgotten the variables, or has a table of that name besides.
  const others = fleetOn(testDatabase, await testDatabase.open(3), project);
  for (const prepare of [
    'SELECT',
    'CREATE TABLE tenants (clerk_org_id text, schema_name text, status text)',
  ]) {
    await testDatabase.query(prepare);
    for (const command of [
      () => others.migrate(),
      () => others.status(),
      () => others.provision('org_a'),
      () => migrateMaster(others.database, { folder: project.master }),
    ]) {
      expect(await refusalOf(command())).toMatchObject({
        code: 'NAMES_DIFFER',
        message: expect.stringContaining(
          'managed with REGISTRY_TABLE=public.customers REGISTRY_COLUMNS=organization=slug,schema=db_schema,status=state',
        ),
        hint: expect.stringContaining('migrate master --change-names'),
      });
    }
  }
  expect(await testDatabase.query('SELECT FROM tenants')).toEqual([]);

  // The registry is renamed.
  await testDatabase.query('ALTER TABLE customers RENAME TO accounts');
  const renamed = { ...names, registry: { schema: 'public', table: 'accounts' } };
  const after = fleetOn(testDatabase, await testDatabase.open(5, renamed), project);
  expect(await refusalOf(after.migrate())).toMatchObject({ code: 'NAMES_DIFFER' });
  await migrateMaster(after.database, { folder: project.master, changeNames: true });
  await after.add('2_tags.js', commonJs(...KNEX_TABLE('tags')));
  expect((await after.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
  expect(await stamps()).toHaveLength(2);
  expect(await refusalOf(fleet.migrate())).toMatchObject({ code: 'NAMES_DIFFER' });
});

test.each([
  [
    'organization',
    'slug jsonb, db_schema text, state text',
    'has a column slug of type jsonb: it must be text',
  ],
  [
    'schema',
    'slug text, db_schema int, state text',
    'has a column db_schema of type integer: it must be text',
  ],
  [
    'status',
    'slug text, db_schema text, state boolean',
    'has a column state of type boolean: it must be text',
  ],
  ['name', 'slug text, db_schema text, condition text', 'has no column state'],
])(
  'a registry whose %s column cannot be used is refused, with its type named',
  async (_, columns, message) => {
    const testDatabase = await createDatabase();
    await testDatabase.query(`CREATE TABLE customers (${columns})`);
    const names = {
      ...DEFAULT_NAMES,
      registry: { schema: 'public', table: 'customers' },
      columns: { ...DEFAULT_NAMES.columns, organization: 'slug', schema: 'db_schema', status: 'state' },
    };
    const database = await testDatabase.open(3, names);
    const fleet = fleetOn(
      testDatabase,
      database,
      await createProject({ 'migrations/tenants/1_a.js': commonJs(...KNEX_TABLE('a')) }),
    );
    expect(await refusalOf(fleet.migrate({ masterFolder: undefined }))).toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining(message),
    });
    const { checks } = await diagnose({
      nodeVersion: '24.0.0',
      database: testDatabase.settings,
      databaseNames: names,
    });
    expect(checks.find(({ id }) => id === 'registry')).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining(message),
    });
  },
);

test.each([
  ['uuid', '0A000000-0000-4000-8000-000000000001', '0a000000-0000-4000-8000-000000000001'],
  ['bigint', '007', '7'],
  ['citext', 'ACME', 'acme'],
])(
  'an organization id in a column of type %s is taken as the registry writes it',
  async (type, given, written) => {
    const testDatabase = await createDatabase();
    await testDatabase.query('CREATE EXTENSION IF NOT EXISTS citext');
    await testDatabase.query(
      `CREATE TABLE tenants (clerk_org_id ${type} UNIQUE, schema_name text UNIQUE, status text CHECK (status <> 'FAILED'))`,
    );
    const database = await testDatabase.open();
    const fleet = fleetOn(
      testDatabase,
      database,
      await createProject({ 'migrations/tenants/1_a.js': commonJs(...KNEX_TABLE('a')) }),
    );
    expect((await fleet.provision(written))[0]?.outcome).toBe('provisioned');
    expect(
      (await fleet.provision(given, written)).map(({ outcome, error }) => error?.message ?? outcome),
    ).toEqual([`The registry writes the organization "${given}" as "${written}".`, 'already-active']);
    expect((await fleet.migrate({ masterFolder: undefined, tenants: [written] })).totals).toMatchObject({
      upToDate: 1,
    });
    expect(await testDatabase.query('SELECT FROM tenants')).toHaveLength(1);
  },
);

test('an organization id that the column cannot hold is named, and not the status', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query(
    'CREATE TABLE tenants (clerk_org_id uuid UNIQUE, schema_name text UNIQUE, status text)',
  );
  const database = await testDatabase.open();
  const fleet = fleetOn(testDatabase, database, await createProject());
  const [refused] = await fleet.provision('org_a');
  expect(refused?.error).toMatchObject({
    sqlstate: '22P02',
    hint: expect.stringContaining('The column clerk_org_id cannot hold this organization id.'),
  });
});

test('a status that the column cannot hold is named, with the variable that maps it', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query(`CREATE TYPE state AS ENUM ('ACTIVE', 'lost');
    CREATE TABLE tenants (clerk_org_id text UNIQUE, schema_name text UNIQUE, status state)`);
  const database = await testDatabase.open();
  const fleet = fleetOn(
    testDatabase,
    database,
    await createProject({ 'migrations/tenants/1_a.js': commonJs(...KNEX_TABLE('a')) }),
  );
  const { checks } = await diagnose({ nodeVersion: '24.0.0', database: testDatabase.settings });
  expect(checks.find(({ id }) => id === 'registry')?.detail).toBe(
    'public.tenants.status cannot hold PROVISIONING, FAILED, which provisioning writes',
  );
  const [refused] = await fleet.provision('org_a');
  expect(refused?.error).toMatchObject({
    sqlstate: '22P02',
    hint: expect.stringContaining('map PROVISIONING to a value that it can hold in REGISTRY_STATUSES'),
  });
});

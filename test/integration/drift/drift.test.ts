import { expect, onTestFinished, test } from 'vitest';
import { grantApplication } from '../../../src/core/commands/grant-application.ts';
import { dumpSchema } from '../../../src/core/drift/dump-schema.ts';
import { findDrift, type Drift, type DriftOptions } from '../../../src/core/drift/find-drift.ts';
import { showDrift } from '../../../src/core/drift/show-drift.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration, usualProject } from '../../support/project.ts';
import { createOwner } from '../../support/role.ts';

const OUTSIDE = 'export const config = { transaction: false };';

/** With migrations that cannot run in a transaction as they are. */
async function fleetOf(...organizations: string[]): Promise<TestFleet> {
  const project = await usualProject({
    'migrations/tenants/20250101000003_concurrently.sql':
      '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY by_id ON tags (id);\n-- migrate:down\n',
    'migrations/tenants/20250101000004_also.js': knexMigration(
      `await knex.raw('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS also ON notes (id DESC)');`,
      '',
      OUTSIDE,
    ),
  });
  return createFleet(organizations, { project });
}

function drift({ database, project }: TestFleet, options: Partial<DriftOptions> = {}): Promise<Drift> {
  return findDrift(database, { tenantFolder: project.tenants, ...options });
}

/** Outcome and organizations of each cohort. */
function cohorts({ cohorts }: Drift): string[] {
  return cohorts.map(
    ({ outcome, tenants }) => `${outcome} ${tenants.map((each) => each.clerkOrgId).join(' ')}`,
  );
}

test('tenants fall into cohorts, each compared with what the migrations make', async () => {
  const fleet = await fleetOf('org_a', 'org_b', 'org_c', 'org_d');
  const { query, database } = fleet;
  const [a, b, c] = ['org_a', 'org_b', 'org_c'].map(schemaNameFor);
  await query('CREATE ROLE app_of_drift');
  await grantApplication(database, 'app_of_drift');
  const { totals } = await drift(fleet);
  expect(totals).toEqual({ selected: 4, alike: 4, differing: 0, notCompared: 0, failed: 0 });
  await query(`ALTER TABLE ${b}.notes ADD body text; DROP INDEX ${b}.by_id;
    CREATE FUNCTION ${c}.spy() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM ${a}.notes'`);
  await query('GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO app_of_drift');
  const before = await query('SELECT count(*) FROM pg_namespace');
  const found = await drift(fleet);
  expect(cohorts(found)).toEqual(['differs org_b', 'differs org_c', 'alike org_a org_d']);
  expect(found.cohorts[0]).toMatchObject({
    version: '20250101000004_also.js',
    pending: [],
    leads: [],
    differenceCount: 2,
    differences: [
      { kind: 'index', name: 'by_id', difference: 'missing' },
      { kind: 'column', name: 'notes.body', difference: 'extra' },
    ],
  });
  expect(found.cohorts[1]?.leads).toEqual([{ kind: 'function', name: 'spy()', schema: a }]);
  expect(await query('SELECT count(*) FROM pg_namespace')).toEqual(before);
  // A tenant as the reference.
  const byTenant = await drift(fleet, { reference: 'org_b', tenants: ['org_a', 'org_b'] });
  expect(cohorts(byTenant)).toEqual(['differs org_a', 'alike org_b']);
  const { diff, differences } = await showDrift(database, 'org_b', { tenantFolder: fleet.project.tenants });
  expect(differences).toHaveLength(2);
  expect(diff.split('\n').filter((line) => /^[-+](?![-+])/.test(line))).toEqual([
    '-  id integer NOT NULL',
    '+  id integer NOT NULL,',
    '+  body text',
    '-CREATE INDEX by_id ON tags USING btree (id);',
    '-',
  ]);
  await query('DROP OWNED BY app_of_drift; DROP ROLE app_of_drift');
});

test('a tenant that is behind, or whose migrations came in another order, is no drift', async () => {
  const fleet = await fleetOf('org_a', 'org_b', 'org_c');
  const { project, database } = fleet;
  await fleet.add('20250101000007_two.sql', createTable('two').replace('(id', '(b int, id'));
  await fleet.migrate({ tenants: ['org_b'] });
  await fleet.add(
    '20250101000006_one.sql',
    '-- migrate:up\nALTER TABLE notes ADD one int;\n-- migrate:down\n',
  );
  await fleet.add(
    '20250101000008_late.sql',
    '-- migrate:up\nALTER TABLE notes ADD late int;\n-- migrate:down\n',
  );
  await fleet.migrate({ tenants: ['org_c'] });
  await project.write(
    'migrations/tenants/20250101000005_early.sql',
    '-- migrate:up\nALTER TABLE notes ADD early int;\n-- migrate:down\n',
  );
  await fleet.migrate({ tenants: ['org_b', 'org_c'], allowOutOfOrder: true });
  const found = await drift(fleet);
  expect(cohorts(found).toSorted()).toEqual(['alike org_a', 'alike org_b', 'alike org_c']);
  expect(found.cohorts.flatMap(({ pending }) => pending)).toHaveLength(4);
  // What cannot be built at an old version is not compared; at the newest it is an error.
  await fleet.add(
    '20250101000009_tenants_only.sql',
    `-- migrate:up\nDO $$ BEGIN IF current_schema() LIKE '%reference%' THEN RAISE 'no'; END IF; END $$;\n-- migrate:down\n`,
  );
  await fleet.migrate({ tenants: ['org_c'] });
  await expect(drift(fleet)).rejects.toMatchObject({
    code: 'REFERENCE_FAILED',
    migration: '20250101000009_tenants_only.sql',
    hint: expect.stringContaining('--reference <org>') as string,
  });
  const byTenant = await drift(fleet, { reference: 'org_c' });
  expect(cohorts(byTenant)).toEqual(['not-compared org_a', 'not-compared org_b', 'alike org_c']);
  expect(await dumpSchema(database, { tenantFolder: project.tenants, tenant: 'org_c' })).toContain(
    'late integer',
  );
});

test('a role that may not read the tenants is told so, and sees no drift that is not there', async () => {
  const fleet = await fleetOf('org_a', 'org_b');
  const { testDatabase, query, project } = fleet;
  const { name, env } = await createOwner(testDatabase, 'reader');
  const settings = { ...testDatabase.settings, user: name, password: env.DB_PASSWORD ?? '' };
  const database = await openDatabase(settings, { maxConnections: 2 });
  onTestFinished(() => database.close());
  await query(`GRANT SELECT ON ALL TABLES IN SCHEMA public, tenantctl TO ${name};
    GRANT USAGE ON SCHEMA tenantctl, ${schemaNameFor('org_a')} TO ${name}`);
  const options = { tenantFolder: project.tenants };
  const reading = [
    () => findDrift(database, options),
    () => findDrift(database, { ...options, reference: 'org_b' }),
    () => showDrift(database, 'org_b', options),
    () => dumpSchema(database, { ...options, tenant: 'org_b' }),
    // It has the right to see the schema, but not its history.
    () => dumpSchema(database, { ...options, tenant: 'org_a' }),
  ];
  for (const read of reading)
    await expect(read()).rejects.toMatchObject({
      code: 'RIGHTS_MISSING',
      hint: expect.stringContaining('knex_migrations_tenant') as string,
    });
  await query(
    ['org_a', 'org_b']
      .map(schemaNameFor)
      .map(
        (schema) =>
          `GRANT USAGE ON SCHEMA ${schema} TO ${name}; GRANT SELECT ON ${schema}.knex_migrations_tenant TO ${name}`,
      )
      .join('; '),
  );
  expect((await findDrift(database, { ...options, reference: 'org_b' })).totals).toMatchObject({ alike: 2 });
});

test('a tenant that is migrated while drift reads is compared at its new version', async () => {
  const fleet = await fleetOf('org_a', 'org_b');
  const { database } = fleet;
  await fleet.add('20250101000005_two.sql', createTable('two'));
  const migrated: unknown[] = [];
  // After the histories, before the schemas.
  const query: typeof database.query = async (text, ...values) => {
    if (text.includes('has_schema_privilege')) migrated.push(await fleet.migrate({ tenants: ['org_b'] }));
    return database.query(text, ...values);
  };
  const watched = new Proxy(database, {
    get: (of, key) => (key === 'query' ? query : (Reflect.get(of, key, of) as unknown)),
  });
  const found = await findDrift(watched, { tenantFolder: fleet.project.tenants });
  expect(migrated).toHaveLength(1);
  expect(cohorts(found)).toEqual(['alike org_a', 'alike org_b']);
  expect(found.cohorts.map(({ version }) => version)).toEqual([
    '20250101000004_also.js',
    '20250101000005_two.sql',
  ]);
});

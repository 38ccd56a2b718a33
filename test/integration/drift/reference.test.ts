import { expect, test } from 'vitest';
import { dumpSchema } from '../../../src/core/drift/dump-schema.ts';
import { findDrift, type Drift } from '../../../src/core/drift/find-drift.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { knexMigration, usualProject } from '../../support/project.ts';

const up = (sql: string, options = '') => `-- migrate:up${options}\n${sql};\n-- migrate:down\n`;
const OUTSIDE = ' transaction:false';

function fleetWith(files: Readonly<Record<string, string>>): Promise<TestFleet> {
  const tenants = Object.entries(files).map(([name, text]) => [`migrations/tenants/${name}`, text] as const);
  return usualProject(Object.fromEntries(tenants)).then((project) =>
    createFleet(['org_a', 'org_b'], { project }),
  );
}

const ASIDE = `SELECT nspname FROM pg_namespace WHERE nspname LIKE '%reference%'
  UNION ALL SELECT schema_name FROM tenantctl.tenants WHERE gone_at IS NULL AND clerk_org_id IS NULL
  UNION ALL SELECT verb FROM tenantctl.verb_intents`;

async function driftOf({ database, project, query }: TestFleet, reference?: string): Promise<Drift> {
  const drift = await findDrift(database, { tenantFolder: project.tenants, reference });
  expect(await query(ASIDE)).toEqual([]);
  return drift;
}

test('what needs commits, or no transaction, is built as it is for a tenant, and nothing is left', async () => {
  const fleet = await fleetWith({
    '20250101000003_mood.sql': up("CREATE TYPE mood AS ENUM ('sad')"),
    '20250101000004_ok.sql': up("ALTER TYPE mood ADD VALUE 'ok'"),
    '20250101000005_moods.sql': up("CREATE TABLE moods (mood mood DEFAULT 'ok')"),
    '20250101000006_own.sql': up('BEGIN; CREATE TABLE own (id int); COMMIT', OUTSIDE),
    '20250101000007_vacuum.sql': up('VACUUM own', OUTSIDE),
    '20250101000008_index.sql': up('CREATE INDEX CONCURRENTLY by_id ON own (id)', OUTSIDE),
    '20250101000009_shared.sql': up('CREATE TABLE shared (id int REFERENCES public.tenants)'),
  });
  expect((await driftOf(fleet)).totals).toMatchObject({ selected: 2, alike: 2 });
  await fleet.query(`DROP INDEX ${schemaNameFor('org_b')}.by_id`);
  const { cohorts } = await driftOf(fleet);
  expect(cohorts[0]?.differences).toEqual([{ kind: 'index', name: 'by_id', difference: 'missing' }]);
  expect(await dumpSchema(fleet.database, { tenantFolder: fleet.project.tenants })).toContain(
    `mood mood DEFAULT 'ok'::mood`,
  );
});

test('a migration that fails when the reference is built as a tenant leaves nothing', async () => {
  const fleet = await fleetWith({
    '20250101000003_once.sql': up(
      "DO $$ BEGIN IF current_schema() LIKE '%reference%' THEN RAISE 'no tenant'; END IF; END $$",
      OUTSIDE,
    ),
  });
  await expect(driftOf(fleet)).rejects.toMatchObject({
    code: 'REFERENCE_FAILED',
    migration: '20250101000003_once.sql',
    message: expect.stringContaining('no tenant') as string,
    hint: expect.stringContaining('--reference <org>') as string,
  });
  expect(await fleet.query(ASIDE)).toEqual([]);
});

test('a migration that reads the row of its tenant works for the reference', async () => {
  const fleet = await fleetWith({
    '20250101000003_row.js': knexMigration(
      `const { schema_name } = await knex('public.tenants').where({ clerk_org_id: knex.userParams.clerkOrgId }).first();
       await knex.raw('CREATE TABLE found_' + schema_name.slice(0, 3) + ' (id int)');`,
    ),
  });
  expect((await driftOf(fleet)).totals).toMatchObject({ alike: 2 });
  expect(await fleet.query('SELECT count(*)::int AS n FROM public.tenants')).toEqual([{ n: 2 }]);
});

test('it says why a tenant is not compared, and what to run', async () => {
  const fleet = await fleetWith({});
  const { project } = fleet;
  const repeatableFolder = `${project.folder}/migrations/repeatable`;
  await project.write('migrations/repeatable/view.sql', '');
  await project.remove('migrations/repeatable/view.sql');
  const reasons = async (reference?: string) => {
    const { cohorts } = await findDrift(fleet.database, {
      tenantFolder: project.tenants,
      repeatableFolder,
      reference,
    });
    return cohorts.flatMap(({ reason, tenants }) =>
      reason === undefined ? [] : [`${tenants.map(({ clerkOrgId }) => clerkOrgId).join(' ')}: ${reason}`],
    );
  };
  await fleet.add('20250101000003_three.sql', up('CREATE TABLE three ()'));
  await fleet.migrate({ tenants: ['org_b'] });
  expect(await reasons('org_b')).toEqual([
    expect.stringMatching(/^org_a: it lacks 20250101000003_three.sql, which org_b has: .*migrate tenants/),
  ]);
  expect(await reasons('org_a')).toEqual([
    expect.stringMatching(/^org_b: it has 20250101000003_three.sql, which org_a lacks: /),
  ]);
  // The tenant that is behind lacks the script, too.
  await project.write('migrations/repeatable/view.sql', 'CREATE OR REPLACE VIEW seen AS SELECT 1 AS one');
  await fleet.migrate({ tenants: ['org_b'], repeatableFolder });
  expect(await reasons()).toEqual([
    'org_a: repeatable scripts are due: tenantctl migrate tenants applies them',
  ]);
  await fleet.migrate({ repeatableFolder });
  expect(await reasons()).toEqual([]);
  await project.write('migrations/repeatable/view.sql', 'CREATE OR REPLACE VIEW seen AS SELECT 2 AS one');
  await fleet.migrate({ tenants: ['org_b'], repeatableFolder });
  expect(await reasons('org_b')).toEqual([
    'org_a: repeatable scripts are due: tenantctl migrate tenants applies them to it',
  ]);
});

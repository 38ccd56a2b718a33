import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { VectorExtensionMode } from '../../../src/core/install/vector-extension.ts';
import { createVectorDatabase, type TestDatabase } from '../../support/database.ts';
import { usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const EMBEDDINGS = {
  'migrations/tenants/3_embeddings.sql': `-- migrate:up
CREATE TABLE embeddings (id int, e vector(3));
-- migrate:down
DROP TABLE embeddings;`,
};

/** A database that can have pgvector, with a registry, and a project whose tenants want it. */
async function wantsVectors(files: Readonly<Record<string, string>> = EMBEDDINGS) {
  const testDatabase = await createVectorDatabase();
  const database = await testDatabase.open();
  const project = await usualProject(files);
  await migrateMaster(database, { folder: project.master });
  const warnings: string[] = [];
  const provision = async (id: string, vectorExtension?: VectorExtensionMode) => {
    const results = await provisionTenants(database, [id], {
      folder: project.tenants,
      vectorExtension,
      observe: (event) => event.type === 'warning' && warnings.push(event.message),
    });
    return results[0];
  };
  return { testDatabase, database, project, provision, warnings };
}

async function whereItIs(testDatabase: TestDatabase): Promise<unknown> {
  const [row] = await testDatabase.query<{ schema: string }>(
    `SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'vector'`,
  );
  return row?.schema;
}

test('it is made available in public, before the first tenant is touched', async () => {
  const { testDatabase, provision, warnings } = await wantsVectors();
  expect(await whereItIs(testDatabase)).toBeUndefined();
  expect(await provision('org_a')).toMatchObject({ outcome: 'provisioned' });
  expect(await provision('org_b')).toMatchObject({ outcome: 'provisioned' });
  expect(await whereItIs(testDatabase)).toBe('public');
  expect(warnings).toEqual([]);
});

test('it is there for a fleet that needs it for the first time', async () => {
  const { testDatabase, database, project, provision } = await wantsVectors({});
  await provision('org_a', 'off');
  expect(await whereItIs(testDatabase)).toBeUndefined();
  for (const [path, text] of Object.entries(EMBEDDINGS)) await project.write(path, text);
  const { totals } = await migrateTenants(database, { folder: project.tenants });
  expect(totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await whereItIs(testDatabase)).toBe('public');
});

test("a tenant's own migration that creates it does not keep it in the tenant's schema", async () => {
  const { testDatabase, provision, warnings } = await wantsVectors({
    'migrations/tenants/2_extension.sql': '-- migrate:up\nCREATE EXTENSION IF NOT EXISTS vector;',
    ...EMBEDDINGS,
  });
  expect(await provision('org_a', 'off')).toMatchObject({ outcome: 'provisioned' });
  expect(await whereItIs(testDatabase)).toBe('public');
  expect(warnings).toEqual([expect.stringContaining('creates it in public')]);
  expect(await provision('org_b', 'off')).toMatchObject({ outcome: 'provisioned' });
});

test('off leaves it alone: the migration that needs it fails with the remedy, which works', async () => {
  const { testDatabase, provision } = await wantsVectors();
  const failed = await provision('org_a', 'off');
  expect(failed?.error).toMatchObject({ message: 'type "vector" does not exist', sqlstate: '42704' });
  const remedy = /CREATE EXTENSION [^;]+;/.exec(failed?.error?.hint ?? '')?.[0] ?? 'no remedy';
  await testDatabase.query(remedy);
  expect(await provision('org_a', 'off')).toMatchObject({ outcome: 'provisioned' });
});

test('in a wrong schema it is reported with the remedy: a warning with auto, an error with require', async () => {
  const { testDatabase, database, project, provision, warnings } = await wantsVectors();
  await testDatabase.query('CREATE SCHEMA extras');
  await testDatabase.query('CREATE EXTENSION vector SCHEMA extras');
  const failed = await provision('org_a', 'auto');
  expect(failed?.error?.message).toBe('type "vector" does not exist');
  expect(warnings).toEqual([expect.stringContaining('installed in the schema extras')]);

  const options = { folder: project.tenants, vectorExtension: 'require' } as const;
  const refusal = await refusalOf(provisionTenants(database, ['org_b'], options));
  expect(refusal).toMatchObject({ code: 'EXTENSION_UNAVAILABLE' });
  expect(await testDatabase.query(`SELECT FROM tenants WHERE clerk_org_id = 'org_b'`)).toEqual([]);
  await testDatabase.query(/ALTER EXTENSION [^;]+;/.exec(refusal.hint ?? '')?.[0] ?? 'no remedy');
  expect(await provision('org_b', 'require')).toMatchObject({ outcome: 'provisioned' });
  const columns = await testDatabase.query(
    `SELECT atttypid::regtype::text AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'e'`,
    [`${schemaNameFor('org_b')}.embeddings`],
  );
  expect(columns).toEqual([{ type: 'vector' }]);
});

test('a rehearsal sees it as the run will, and does not create it', async () => {
  const { testDatabase, database, project, provision } = await wantsVectors({});
  await provision('org_a', 'off');
  for (const [path, text] of Object.entries(EMBEDDINGS)) await project.write(path, text);
  const rehearse = async (vectorExtension: VectorExtensionMode) => {
    const { plans } = await rehearseTenants(database, { folder: project.tenants, vectorExtension });
    return plans[0]?.migrations[0]?.error;
  };
  expect(await rehearse('auto')).toBeUndefined();
  expect(await rehearse('off')).toMatchObject({ sqlstate: '42704' });
  expect(await whereItIs(testDatabase)).toBeUndefined();
});

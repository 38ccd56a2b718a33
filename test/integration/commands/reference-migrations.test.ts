import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { INIT_MIGRATION, initProject } from '../../../src/core/files/scaffold.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rollbackMaster } from '../../../src/core/commands/rollback-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { provisionTenant } from '../../../src/core/tenant/provision.ts';
import { rollbackTenants } from '../../../src/core/commands/rollback-tenants.ts';
import { catalogOf } from '../../support/catalog.ts';
import { createVectorDatabase } from '../../support/database.ts';
import { createProject } from '../../support/project.ts';

const ROOT = join(import.meta.dirname, '../../..');
const MASTER = { folder: join(ROOT, 'migrations/master') };
const TENANTS = { folder: join(ROOT, 'migrations/tenants') };
const SCHEMA = 'tid_cf4116b064';

async function referenceDatabase() {
  const testDatabase = await createVectorDatabase();
  const database = await testDatabase.open();
  await migrateMaster(database, MASTER);
  await provisionTenant(database, 'default_tenant', { ...TENANTS, masterFolder: MASTER.folder });
  return { testDatabase, database };
}

test("up, down, up: the tenants' catalog is the same, and after down nothing of it is left", async () => {
  const { testDatabase, database } = await referenceDatabase();
  const up = await catalogOf(testDatabase);
  const down = await rollbackTenants(database, { ...TENANTS, extent: { all: true } });
  expect(down.totals).toMatchObject({ changed: 1, failed: 0 });
  const left = await testDatabase.query(
    `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relname NOT LIKE 'knex_%'`,
    [SCHEMA],
  );
  expect(left).toEqual([]);
  expect((await migrateTenants(database, TENANTS)).totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await catalogOf(testDatabase)).toEqual(up);
});

test("up, down, up: the master's catalog is the same", async () => {
  const testDatabase = await createVectorDatabase();
  const database = await testDatabase.open();
  await migrateMaster(database, MASTER);
  const up = await catalogOf(testDatabase);
  expect((await rollbackMaster(database, { ...MASTER, extent: { all: true } })).names).toHaveLength(3);
  expect(
    await testDatabase.query(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'knex_%'`,
    ),
  ).toEqual([]);
  await migrateMaster(database, MASTER);
  expect(await catalogOf(testDatabase)).toEqual(up);
});

test('messages are found by their nearness, through an index made for it', async () => {
  const { testDatabase } = await referenceDatabase();
  const embedding = (position: number) =>
    `[${Array.from({ length: 1536 }, (_, index) => (index === position ? 1 : 0.01)).join(',')}]`;
  for (const [position, content] of ['billing', 'holidays', 'coffee'].entries()) {
    await testDatabase.query(
      `INSERT INTO ${SCHEMA}.chat_messages (conversation_id, role, content, embedding)
       VALUES (md5($1)::uuid, 'user', $1, $2::vector)`,
      [content, embedding(position)],
    );
  }
  const nearest = await testDatabase.query(
    `SELECT content FROM ${SCHEMA}.chat_messages ORDER BY embedding <=> $1::vector LIMIT 2`,
    [embedding(1)],
  );
  expect(nearest[0]).toEqual({ content: 'holidays' });

  const [index] = await testDatabase.query<{ method: string; operators: string }>(
    `SELECT am.amname AS method, o.opcname AS operators
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
     JOIN pg_opclass o ON o.oid = i.indclass[0] WHERE c.oid = $1::regclass`,
    [`${SCHEMA}.chat_messages_embedding_index`],
  );
  expect(index).toEqual({ method: 'hnsw', operators: 'vector_cosine_ops' });
});

test('the keys, checks and defaults hold', async () => {
  const { testDatabase } = await referenceDatabase();
  const refused = (constraint: string, text: string) =>
    expect(testDatabase.query(text)).rejects.toThrow(constraint);
  await testDatabase.query(
    `INSERT INTO ${SCHEMA}.org_users (clerk_user_id, email) VALUES ('u1', 'A@example.com')`,
  );
  await refused(
    'org_users_email_unique',
    `INSERT INTO ${SCHEMA}.org_users (clerk_user_id, email) VALUES ('u2', 'a@EXAMPLE.com')`,
  );
  await refused(
    'org_users_role_check',
    `INSERT INTO ${SCHEMA}.org_users (clerk_user_id, email, role) VALUES ('u3', 'c@d', 'god')`,
  );
  await refused(
    'org_settings_updated_by_foreign',
    `INSERT INTO ${SCHEMA}.org_settings (key, value, updated_by) VALUES ('theme', '"dark"', 99)`,
  );
  await testDatabase.query(`INSERT INTO ${SCHEMA}.org_settings (key, updated_by) VALUES ('theme', 1)`);
  await testDatabase.query(`DELETE FROM ${SCHEMA}.org_users`);
  const settings = await testDatabase.query(
    `SELECT value, updated_by, created_at IS NOT NULL AS dated FROM ${SCHEMA}.org_settings`,
  );
  expect(settings).toEqual([{ value: {}, updated_by: null, dated: true }]);
  await refused(
    'tenants_status_check',
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('x', 'x', 'BUSY')`,
  );
  await refused(
    'coaching_categories_focus_area_id_foreign',
    `INSERT INTO coaching_categories (focus_area_id, slug, name) VALUES (1, 'a', 'A')`,
  );
});

test('init_db comes first, and is word for word what tenantctl init writes', async () => {
  const names = (await readdir(MASTER.folder)).toSorted();
  expect(names[0]).toBe(`${INIT_MIGRATION}.ts`);
  const project = await createProject();
  const { created } = await initProject({
    folder: project.folder,
    masterFolder: project.master,
    tenantFolder: project.tenants,
  });
  expect(created).toContain(`migrations/master/${INIT_MIGRATION}.ts`);
  const [ours, written] = await Promise.all(
    [MASTER.folder, project.master].map((folder) => readFile(join(folder, `${INIT_MIGRATION}.ts`), 'utf8')),
  );
  expect(written).toBe(ours);
});

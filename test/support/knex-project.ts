import { join } from 'node:path';
import createKnex, { type Knex } from 'knex';
import { onTestFinished } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TestServerDatabase } from './database.ts';
import { createProject, type TestProject } from './project.ts';

/** A Knex migration in CommonJS, as in ORIGIN.md. */
export function commonJs(up: string, down: string): string {
  return `exports.up = async function (knex) {\n  ${up}\n};\n\nexports.down = async function (knex) {\n  ${down}\n};\n`;
}

/** The same migration in TypeScript. */
export function typeScript(up: string, down: string): string {
  return `import type { Knex } from 'knex';\n\nexport async function up(knex: Knex): Promise<void> {\n  ${up}\n}\n\nexport async function down(knex: Knex): Promise<void> {\n  ${down}\n}\n`;
}

export const KNEX_TABLE = (name: string) =>
  [
    `await knex.schema.createTable('${name}', (table) => { table.increments('id'); table.string('name'); });`,
    `await knex.schema.dropTable('${name}');`,
  ] as const;

const REGISTRY = [
  `await knex.schema.createTable('tenants', (table) => {
    table.uuid('id').primary().defaultTo(knex.raw('md5(random()::text)::uuid'));
    table.string('clerk_org_id').notNullable().unique();
    table.string('schema_name').notNullable().unique();
    table.string('status').notNullable();
    table.timestamps(true, true);
  });`,
  `await knex.schema.dropTable('tenants');`,
] as const;

export async function originProject(): Promise<TestProject> {
  const project = await createProject({
    'package.json': '{"name":"origin"}',
    'src/master/migrations/20251103123228_init_db.js': commonJs(...REGISTRY),
    'src/master/migrations/20251103123300_focus_area_table.js': commonJs(...KNEX_TABLE('focus_areas')),
    'src/tenants/migrations/20251103123400_tenant_init_db.js': commonJs(...KNEX_TABLE('chat_messages')),
    'src/tenants/migrations/20251103123500_org_users_table.js': commonJs(...KNEX_TABLE('org_users')),
  });
  return {
    ...project,
    master: join(project.folder, 'src/master/migrations'),
    tenants: join(project.folder, 'src/tenants/migrations'),
  };
}

/** Knex as such a project configures it: for public, or for one tenant's schema. */
export function plainKnex(
  testDatabase: TestServerDatabase,
  project: TestProject,
  organization?: string,
): Knex {
  const schema = organization === undefined ? 'public' : schemaNameFor(organization);
  const knex = createKnex({
    client: 'pg',
    connection: testDatabase.url,
    searchPath: [...new Set([schema, 'public'])],
    pool: { min: 0, max: 2 },
    migrations: {
      directory: organization === undefined ? project.master : project.tenants,
      tableName: organization === undefined ? 'knex_migrations_master' : 'knex_migrations_tenant',
      schemaName: schema,
    },
  });
  onTestFinished(() => knex.destroy());
  return knex;
}

/** Provisions a tenant like ORIGIN.md's scripts. */
export async function provisionByKnex(
  testDatabase: TestServerDatabase,
  project: TestProject,
  organization: string,
): Promise<void> {
  const schema = schemaNameFor(organization);
  await testDatabase.query(`CREATE SCHEMA ${schema}`);
  await testDatabase.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ($1, $2, 'ACTIVE')`,
    [organization, schema],
  );
  await plainKnex(testDatabase, project, organization).migrate.latest();
}

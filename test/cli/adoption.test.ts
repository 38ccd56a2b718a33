import createKnex, { type Knex } from 'knex';
import { expect, onTestFinished, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createDatabase, type TestServerDatabase } from '../support/database.ts';
import { commonJs, KNEX_TABLE } from '../support/knex-project.ts';
import { createProject, type TestProject } from '../support/project.ts';

/** How an application has kept its tenants and its histories. */
interface Habits {
  readonly master: string;
  readonly tenant: string;
  readonly table: string;
  readonly columns: readonly [organization: string, schema: string, status: string];
  readonly active?: string;
}

const USUAL = ['clerk_org_id', 'schema_name', 'status'] as const;
const ORGANIZATIONS = ['acme', 'globex'];

/** A database that Knex itself has migrated, its project, and one more tenant migration. */
async function migratedByKnex({ master, tenant, table, columns, active = 'ACTIVE' }: Habits) {
  const database = await createDatabase();
  const [organization, schema, status] = columns;
  const project = await createProject({
    'package.json': '{"name":"app"}',
    'migrations/master/20240101000000_registry.js': commonJs(
      `await knex.schema.createTable('${table}', (t) => {
        t.increments('id');
        for (const name of ['${organization}', '${schema}']) t.string(name).notNullable().unique();
        t.string('${status}').notNullable();
      });`,
      `await knex.schema.dropTable('${table}');`,
    ),
    'migrations/tenants/20240102000000_notes.js': commonJs(...KNEX_TABLE('notes')),
  });
  const knex = plainKnex(database, project.master, 'public', master);
  await knex.migrate.latest();
  for (const name of ORGANIZATIONS) {
    await knex.raw(`CREATE SCHEMA c_${name}`);
    await knex(table).insert({ [organization]: name, [schema]: `c_${name}`, [status]: active });
    await plainKnex(database, project.tenants, `c_${name}`, tenant).migrate.latest();
  }
  await project.write('migrations/tenants/20240103000000_tags.js', commonJs(...KNEX_TABLE('tags')));
  return { database, project };
}

function plainKnex(database: TestServerDatabase, directory: string, schema: string, tableName: string): Knex {
  const knex = createKnex({
    client: 'pg',
    connection: database.url,
    searchPath: [schema, 'public'],
    pool: { min: 0, max: 1 },
    migrations: { directory, tableName, schemaName: schema },
  });
  onTestFinished(() => knex.destroy());
  return knex;
}

/** Does what each refusal of `migrate all` says, to the letter. @returns the codes of the refusals */
async function followAdvice(database: TestServerDatabase, project: TestProject): Promise<string[]> {
  const codes: string[] = [];
  const run = (...args: string[]) => tenantctl(args, { cwd: project.folder, env: database.env });
  let variables = '';
  for (;;) {
    const result = await run('migrate', 'all', '--json');
    if (result.exitCode === 0) return codes;
    const { code, hint } = result.json<{ error: { code: string; hint: string } }>().error;
    codes.push(code);
    if (codes.length > 3) throw new Error(`It goes in circles: ${hint}`);
    const remedies = (await run('doctor')).stdout.replaceAll(/^ +/gm, '');
    const lines = hint.match(/^[A-Z_]+=.*$/gm) ?? [];
    for (const line of lines) expect(remedies).toContain(`\n${line}\n`);
    variables += `${lines.join('\n')}\n`;
    await project.write('.env', variables);
    const [, command] = /then run tenantctl ([^:]*):/.exec(hint) ?? [];
    if (command !== undefined) await run(...command.split(' '));
  }
}

test.for<[string, Habits, string[]]>([
  [
    'default names',
    { master: 'knex_migrations', tenant: 'knex_migrations', table: 'tenants', columns: USUAL },
    ['NAMES_DIFFER'],
  ],
  [
    'a registry called customers',
    {
      master: 'knex_migrations',
      tenant: 'history',
      table: 'customers',
      columns: ['slug', 'db_schema', 'state'],
      active: 'active',
    },
    ['NAMES_DIFFER'],
  ],
  [
    "the usual name for the master's history alone",
    { master: 'knex_migrations_master', tenant: 'knex_migrations', table: 'tenants', columns: USUAL },
    ['NAMES_DIFFER'],
  ],
  [
    'the usual names for the histories, and another registry',
    { master: 'knex_migrations_master', tenant: 'knex_migrations_tenant', table: 'firms', columns: USUAL },
    ['INIT_MIGRATION_MISSING'],
  ],
])('a database of Knex with %s: each advice, followed to the letter, leads on', async ([, habits, codes]) => {
  const { database, project } = await migratedByKnex(habits);
  expect(await followAdvice(database, project)).toEqual(codes);
  // Nothing was applied twice, nothing was left out, and Knex itself has nothing to do.
  for (const name of ORGANIZATIONS)
    expect(await database.query(`SELECT name, batch FROM c_${name}.${habits.tenant} ORDER BY id`)).toEqual([
      { name: '20240102000000_notes.js', batch: 1 },
      { name: '20240103000000_tags.js', batch: 2 },
    ]);
  const [, applied] = (await plainKnex(
    database,
    project.master,
    'public',
    habits.master,
  ).migrate.latest()) as [number, string[]];
  expect(applied).toEqual([]);
  const tables = await database.query(
    `SELECT schemaname FROM pg_tables WHERE tablename ~ '^knex_migrations' AND tablename !~ '_lock$' AND tablename <> '${habits.master}' AND tablename <> '${habits.tenant}'`,
  );
  expect(tables).toEqual([]);
});

test("another program's history in public is no obstacle", async () => {
  const { database, project } = await migratedByKnex({
    master: 'knex_migrations',
    tenant: 'knex_migrations_tenant',
    table: 'tenants',
    columns: USUAL,
  });
  await project.remove('migrations/master/20240101000000_registry.js');
  await project.write('migrations/master/20250101000000_plans.js', commonJs(...KNEX_TABLE('plans')));
  expect(await followAdvice(database, project)).toEqual([]);
});

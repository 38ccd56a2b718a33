import { execFile } from 'node:child_process';
import { readFile, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { CLI_ENV, PROGRAM } from '../support/cli.ts';
import { createDatabase, type TestServerDatabase } from '../support/database.ts';
import { createProject, type TestProject } from '../support/project.ts';
import { createOwner } from '../support/role.ts';

// ORIGIN.md, "Workflow: Starting a New Project", in its layout, with its .env, its role and its commands.

const INIT_DB = `exports.up = async function (knex) {
  await knex.schema.createTable('tenants', (table) => {
    table.increments('id');
    table.string('clerk_org_id').notNullable().unique();
    table.string('schema_name').notNullable().unique();
    table.string('status').notNullable().defaultTo('PROVISIONING');
    table.timestamps(true, true);
  });
};
exports.down = async function (knex) {
  await knex.schema.dropTable('tenants');
};
`;

const table = (name: string, column = "table.string('name')") => `exports.up = async function (knex) {
  await knex.schema.createTable('${name}', (table) => {
    table.increments('id');
    ${column};
  });
};
exports.down = async function (knex) {
  await knex.schema.dropTable('${name}');
};
`;

let scripts: Readonly<Record<string, string>>;

beforeAll(async () => {
  const text = await readFile(join(import.meta.dirname, '../../package.json'), 'utf8');
  ({ scripts } = JSON.parse(text) as { scripts: Record<string, string> });
});

interface Walk {
  readonly project: TestProject;
  readonly testDatabase: TestServerDatabase;
  /** Runs a package script as pnpm does: its text in a shell, with the arguments behind it. */
  readonly pnpm: (
    script: string,
    ...args: string[]
  ) => Promise<{ code: number; stdout: string; stderr: string }>;
}

/** A folder as ORIGIN.md's, with the program in its bin/. */
async function setOut(files: Readonly<Record<string, string>>): Promise<Walk> {
  const testDatabase = await createDatabase();
  const owner = await createOwner(testDatabase, 'dev_pass123');
  const project = await createProject({
    'package.json': '{"name":"multi-tenant-migrations"}',
    '.env': `# Database Configuration
DB_HOST=${owner.env.DB_HOST}
DB_PORT=${owner.env.DB_PORT}
DB_USER=${owner.name}
DB_PASSWORD=dev_pass123
DB_NAME=${owner.env.DB_NAME}

# SSL Configuration (for local development, set to false)
DB_SSL=false

# For production/staging with RDS:
# DB_SSL=true
# DB_SSL_CERT_PATH=ssl/rds-ca-2019-root.pem
# DB_SSL_REJECT_UNAUTHORIZED=true
`,
    ...files,
  });
  await project.remove('migrations');
  await symlink(dirname(PROGRAM), join(project.folder, 'bin'));
  return {
    project,
    testDatabase,
    pnpm: (script, ...args) =>
      new Promise((resolve) => {
        const text = scripts[script] ?? `echo "There is no script ${script}." >&2; exit 127`;
        const env = { ...CLI_ENV, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
        execFile(
          'sh',
          ['-c', `${text} "$@"`, 'sh', ...args],
          { cwd: project.folder, env },
          (error, stdout, stderr) =>
            resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
        );
      }),
  };
}

const COUNTRIES = `exports.up = (knex) => knex.schema.alterTable('tenants', (table) => table.string('country', 2));
exports.down = (knex) => knex.schema.alterTable('tenants', (table) => table.dropColumn('country'));
`;

test('each step of ORIGIN.md has the documented outcome', async () => {
  const hasVector = inject('serverHasVector');
  const { project, testDatabase, pnpm } = await setOut({
    'src/master/migrations/20251103123228_init_db.js': INIT_DB,
    'src/master/migrations/20251103123300_focus_area_table.js': table('focus_areas'),
    'src/master/migrations/20251103123330_categories_table.js': table('coaching_categories'),
    'src/tenants/migrations/20251103123400_tenant_init_db.js': table(
      'chat_messages',
      // The full suite runs on a server with pgvector, too; see the embedded database for one that always has it.
      hasVector ? "table.specificType('embedding', 'vector(1536)')" : "table.text('content')",
    ),
    'src/tenants/migrations/20251103123430_org_users_table.js': table('org_users'),
  });
  const query = <Row extends object>(text: string) => testDatabase.query<Row>(text);
  // Database Setup, step 4.
  if (hasVector) await query('CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public');

  // Step 1: Migrate Master Schema.
  expect(await pnpm('migrate:master')).toMatchObject({ code: 0, stderr: '' });
  expect(
    await query(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '_lock$' ORDER BY 1`,
    ),
  ).toEqual(
    ['coaching_categories', 'focus_areas', 'knex_migrations_master', 'tenants'].map((tablename) => ({
      tablename,
    })),
  );
  expect(await query('SELECT name, batch FROM knex_migrations_master ORDER BY id')).toEqual([
    { name: '20251103123228_init_db.js', batch: 1 },
    { name: '20251103123300_focus_area_table.js', batch: 1 },
    { name: '20251103123330_categories_table.js', batch: 1 },
  ]);

  // Step 2: Provision Default Tenant.
  const provisioned = await pnpm('provision:tenant', 'default_tenant');
  expect(provisioned).toMatchObject({ code: 0, stderr: '' });
  expect(provisioned.stdout).toContain('default_tenant is ACTIVE in tid_cf4116b064');
  expect(await query('SELECT clerk_org_id, schema_name, status FROM tenants')).toEqual([
    { clerk_org_id: 'default_tenant', schema_name: 'tid_cf4116b064', status: 'ACTIVE' },
  ]);
  expect(await tablesOf(testDatabase, 'tid_cf4116b064')).toEqual([
    'chat_messages',
    'knex_migrations_tenant',
    'org_users',
  ]);

  // Step 3: Create Tenant Migrations.
  const made = await pnpm('migrate:make:tenant', 'add_user_preferences');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const [file = ''] = (await readdir(join(project.folder, 'src/tenants/migrations'))).filter((name) =>
    name.endsWith('_add_user_preferences.js'),
  );
  expect(file).toMatch(/^\d{14}_add_user_preferences\.js$/);
  expect(made.stdout).toContain(join('src/tenants/migrations', file));
  const skeleton = await readFile(join(project.folder, 'src/tenants/migrations', file), 'utf8');
  expect(skeleton).toMatch(/exports\.up = .*exports\.down = /s);
  await project.write(join('src/tenants/migrations', file), table('user_preferences'));

  // Step 4: Run Tenant Migrations.
  expect(await pnpm('provision:tenant', 'org_2abc123def456')).toMatchObject({ code: 0 });
  expect(await pnpm('migrate:tenants')).toMatchObject({ code: 0, stderr: '' });
  const schemas = await query<{ schema_name: string }>(
    'SELECT schema_name FROM tenants ORDER BY clerk_org_id',
  );
  expect(schemas).toHaveLength(2);
  for (const { schema_name: schema } of schemas) {
    expect(await tablesOf(testDatabase, schema)).toContain('user_preferences');
    expect(await query(`SELECT name FROM ${schema}.knex_migrations_tenant ORDER BY id DESC LIMIT 1`)).toEqual(
      [{ name: file }],
    );
  }

  // Available Commands: roll back.
  expect(await pnpm('rollback:tenants', '--tenant', 'default_tenant')).toMatchObject({ code: 0, stderr: '' });
  expect(await tablesOf(testDatabase, 'tid_cf4116b064')).not.toContain('user_preferences');
  expect(await pnpm('migrate:make:master', 'countries')).toMatchObject({ code: 0, stderr: '' });
  const masterFiles = await readdir(join(project.folder, 'src/master/migrations'));
  const countries = masterFiles.find((name) => /^\d{14}_countries\.js$/.test(name)) ?? '';
  await project.write(`src/master/migrations/${countries}`, COUNTRIES);
  expect(await pnpm('migrate:master')).toMatchObject({ code: 0, stderr: '' });
  expect(await pnpm('rollback:master')).toMatchObject({ code: 0, stderr: '' });
  expect(await query('SELECT count(*)::int AS n FROM knex_migrations_master')).toEqual([{ n: 3 }]);
});

test('Troubleshooting: "type vector does not exist" prints its remedy, which works when followed', async () => {
  const { testDatabase, pnpm } = await setOut({
    'src/master/migrations/20251103123228_init_db.js': INIT_DB,
    'src/tenants/migrations/20251103123400_tenant_init_db.js': table(
      'chat_messages',
      "table.specificType('embedding', 'vector(1536)')",
    ),
  });
  await pnpm('migrate:master');

  const failed = await pnpm('provision:tenant', 'default_tenant');

  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('type "vector" does not exist');
  const remedy = /CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;/.exec(failed.stderr)?.[0] ?? '';
  expect(remedy).not.toBe('');
  expect(await testDatabase.query('SELECT status FROM tenants')).toEqual([{ status: 'FAILED' }]);
  if (!inject('serverHasVector')) {
    process.stdout.write(
      'The remedy is followed on PGlite, in vector-extension.test.ts: this server has no pgvector.\n',
    );
    return;
  }
  await testDatabase.query(remedy);
  expect(await pnpm('provision:tenant', 'default_tenant')).toMatchObject({ code: 0, stderr: '' });
});

test('Troubleshooting: "permission denied for schema" prints its remedy, which works when followed', async () => {
  const { testDatabase, pnpm } = await setOut({ 'src/master/migrations/20251103123228_init_db.js': INIT_DB });
  await testDatabase.query('ALTER SCHEMA public OWNER TO CURRENT_USER');
  await testDatabase.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');

  const failed = await pnpm('migrate:master');

  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('permission denied for schema public');
  const remedy = /ALTER SCHEMA public OWNER TO <role>;/.exec(failed.stderr)?.[0] ?? '';
  expect(remedy).not.toBe('');
  const user = testDatabase.settings.database.replace('test_', 'dev_');
  await testDatabase.query(remedy.replace('<role>', user));
  expect(await pnpm('migrate:master')).toMatchObject({ code: 0, stderr: '' });
});

test('Troubleshooting: a missing certificate file is named', async () => {
  const { project, pnpm } = await setOut({ 'src/master/migrations/20251103123228_init_db.js': INIT_DB });
  const env = await readFile(join(project.folder, '.env'), 'utf8');
  await project.write('.env', env.replace('DB_SSL=false', '').replaceAll(/^# (DB_SSL)/gm, '$1'));

  const { code, stderr } = await pnpm('migrate:master');

  expect(code).toBe(3);
  expect(stderr).toContain(
    `DB_SSL_CERT_PATH: the file ${join(project.folder, 'ssl/rds-ca-2019-root.pem')} does not exist`,
  );
});

async function tablesOf(testDatabase: TestServerDatabase, schema: string): Promise<string[]> {
  const rows = await testDatabase.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 AND tablename !~ '_lock$' ORDER BY 1`,
    [schema],
  );
  return rows.map((row) => row.name);
}

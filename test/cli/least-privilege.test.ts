import { describe, expect, inject, test, vi } from 'vitest';
import { intentOf } from '../support/remember.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { createLeastRole } from '../support/least-role.ts';
import { INIT_SQL } from '../support/init-sql.ts';
import { createProject, createTable } from '../support/project.ts';

// Some dozens of processes, one after the other.
vi.setConfig({ testTimeout: 180_000 });

interface Answer {
  readonly checks: readonly {
    readonly id: string;
    readonly status: string;
    readonly detail: string;
    readonly remedy?: string;
  }[];
  readonly error?: { readonly code: string };
}

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly tenants?: readonly { readonly error?: { readonly code: string; readonly message: string } }[];
}

/** A role made by the SQL of docs/operations.md, and the program in a folder of its own, run as that role. */
async function setOut(attributes: '' | 'CREATEROLE' = '', files: Readonly<Record<string, string>> = {}) {
  const least = await createLeastRole(attributes);
  const project = await createProject(files);
  const tryOut = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    tenantctl(args, { cwd: project.folder, env: { ...least.env, ...env } });
  return {
    least,
    project,
    tryOut,
    /** Runs the program, which must end in 0. */
    run: async (line: string, env?: Readonly<Record<string, string>>): Promise<CliResult> => {
      const result = await tryOut(line.split(' '), env);
      expect({ line, ...result }).toMatchObject({ line, exitCode: 0 });
      return result;
    },
  };
}

const MASTER = { 'migrations/master/20250101000000_init_db.sql': INIT_SQL };
const NOTES = { 'migrations/tenants/20250101000001_notes.sql': createTable('notes') };
const MORE = { 'migrations/tenants/20250101000002_more.sql': createTable('more') };

test('a role with only the rights of docs/operations.md can run every command', async () => {
  const { least, project, run, tryOut } = await setOut();
  await project.remove('migrations');
  expect(
    await least.testDatabase.query(
      `SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication,
              (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS memberships
       FROM pg_roles r WHERE rolname = '${least.name}'`,
    ),
  ).toEqual([
    {
      rolsuper: false,
      rolcreatedb: false,
      rolcreaterole: false,
      rolbypassrls: false,
      rolreplication: false,
      memberships: 0,
    },
  ]);

  await run('init');
  await run('doctor');
  await run('migrate master');
  await run('tenant provision org_a org_b org_c org_d');
  await run('make tenant notes --format sql');
  // As made, it would be refused.
  await project.remove('migrations/tenants');
  await project.write(
    'migrations/tenants/29990101000001_index.sql',
    `-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY notes_id ON notes (id);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY notes_id;
`,
  );
  await project.write('migrations/tenants/29990101000000_notes.sql', createTable('notes', 'id int'));
  await project.write('check.sql', "SELECT to_regclass('notes') IS NOT NULL");
  const rolled = await run('migrate tenants --canary 1 --wave 2 --check check.sql --max-failures 1 --json');
  expect(rolled.json()).toMatchObject({ totals: { migrated: 4, failed: 0 } });
  const [listed] = await Promise.all([
    run('runs --json'),
    run('status --check --verify'),
    run('tenant list'),
    run('tenant show org_a'),
  ]);
  const { runs } = listed.json<{ runs: { id: number }[] }>();
  const newest = Math.max(...runs.map(({ id }) => id));
  await run(`runs show ${newest}`);
  await run(`rollback tenants --run ${newest}`);
  expect((await tryOut(['status', '--check'])).exitCode).toBe(6);
  const { path } = (await run('make master shared --format sql --json')).json<{ path: string }>();
  await project.write(path, '-- migrate:up\nSELECT 1;\n-- migrate:down\n');
  await run('migrate all');
  await run('rollback master');
  await run('rollback tenants');
  await least.testDatabase.query(intentOf(schemaNameFor('org_a'), '29990101000001_index.sql'));
  await run('resolve org_a --retry');
  await run('rollback tenants --all --yes');
  await run('migrate all');
  await run('doctor');
});

test('with the rights that TENANT_ROLE needs, each tenant gets its own role', async () => {
  const { least, project, run } = await setOut('CREATEROLE', { ...MASTER, ...NOTES });
  const env = { TENANT_ROLE: `${least.prefix}_{schema}` };
  await run('migrate master');
  await run(`tenant provision org_a --owner-role ${env.TENANT_ROLE}`);
  await run('tenant provision org_b', env);
  await project.write(
    'migrations/tenants/20250101000003_index.sql',
    '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_again ON notes (id);\n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY notes_again;\n',
  );
  await run('migrate tenants', env);
  await run('rollback tenants', env);
  await run('doctor', env);
  expect(
    await least.testDatabase.query(
      `SELECT count(*)::int AS own FROM public.tenants t JOIN pg_namespace n ON n.nspname = t.schema_name
       WHERE pg_get_userbyid(n.nspowner) = '${least.prefix}_' || t.schema_name`,
    ),
  ).toEqual([{ own: 2 }]);
});

test('only the extension may need another role, and the error names the role and the statement', async () => {
  const { least, run, tryOut } = await setOut('', { ...MASTER, ...NOTES });
  await run('migrate master');
  const [vector] = await least.testDatabase.query<{ trusted: boolean }>(
    `SELECT bool_or(coalesce((to_jsonb(v) ->> 'trusted')::bool, false)) AS trusted
     FROM pg_available_extension_versions v WHERE name = 'vector' HAVING count(*) > 0`,
  );
  const result = await tryOut(['tenant', 'provision', 'org_a', '--json'], { VECTOR_EXTENSION: 'require' });
  // A trusted extension needs nobody else.
  const isDone = vector?.trusted === true;
  const { error } = result.json<Partial<Failure>>();
  expect({ exitCode: result.exitCode, code: error?.code }).toEqual({
    exitCode: isDone ? 0 : 1,
    code: isDone ? undefined : 'EXTENSION_UNAVAILABLE',
  });
  const remedy = inject('serverHasVector')
    ? 'CREATE EXTENSION IF NOT EXISTS vector'
    : 'Install pgvector on the server';
  expect(error?.hint ?? '').toContain(isDone ? '' : remedy);
});

interface Loss {
  /** What is taken away, as a superuser. */
  readonly take: readonly string[];
  /** The line of the doctor, and whether it is a failure. */
  readonly check: string;
  readonly status?: 'warning';
  /** Other lines that fail with it. */
  readonly also?: readonly string[];
  readonly command: string;
  readonly exitCode?: number;
  /** In the error of the command. */
  readonly says: string;
  /** Files that are there meanwhile. */
  readonly files?: Readonly<Record<string, string>>;
  /** From which word on the remedy is SQL. */
  readonly remedyFrom?: string;
}

type Stage = Awaited<ReturnType<typeof setOut>>;

/** Takes a right away, looks at doctor and command, and gives it back by what the doctor printed. */
async function lose(stage: Stage, loss: Loss, env: Readonly<Record<string, string>>): Promise<void> {
  const { least, project, tryOut } = stage;
  for (const [path, text] of Object.entries(loss.files ?? {})) await project.write(path, text);
  for (const statement of loss.take) await least.testDatabase.query(statement);
  const [doctor, command] = await Promise.all([
    tryOut(['doctor', '--json'], env),
    tryOut([...loss.command.split(' '), '--json'], env),
  ]);
  const answer = doctor.json<Answer>();
  const line = answer.checks.find(({ id }) => id === loss.check);
  // Nothing else is missing: what was lost before is back by its remedy.
  expect({
    take: loss.take,
    failed: answer.checks.filter(({ status }) => status === 'failed').map(({ id }) => id),
  }).toEqual({
    take: loss.take,
    failed: loss.status === 'warning' ? [] : [loss.check, ...(loss.also ?? [])],
  });
  const seen = { take: loss.take, ...line, exitCode: doctor.exitCode };
  expect(seen).toMatchObject({
    status: loss.status ?? 'failed',
    exitCode: loss.status === 'warning' ? 0 : (loss.exitCode ?? 1),
  });
  expect({ take: loss.take, stdout: command.stdout, exitCode: command.exitCode }).toMatchObject({
    exitCode: loss.exitCode ?? 1,
    stdout: expect.stringContaining(loss.says) as string,
  });
  expect(command.json<Failure>().error.hint ?? JSON.stringify(command.json<Failure>().tenants)).toMatch(
    /GRANT|ALTER|doctor/,
  );
  const remedy = line?.remedy ?? '';
  await least.testDatabase.query(remedy.slice(Math.max(0, remedy.indexOf(loss.remedyFrom ?? ''))));
  for (const path of Object.keys(loss.files ?? {})) await project.remove(path);
}

describe('doctor finds a missing right, the command names it, and the remedy grants it', () => {
  test('for the rights that every role needs', async () => {
    const stage = await setOut('', { ...MASTER, ...NOTES });
    const { least, project, run } = stage;
    await run('migrate master');
    await run('tenant provision org_a');
    for (const [path, text] of Object.entries(MORE)) await project.write(path, text);
    const { database, user } = least.testDatabase.settings;
    const schema = schemaNameFor('org_a');
    const losses: Loss[] = [
      {
        take: [`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC, ${least.name}`],
        check: 'connection',
        command: 'status',
        exitCode: 4,
        says: `GRANT CONNECT ON DATABASE \\"${database}\\"`,
      },
      {
        take: [`REVOKE CREATE ON DATABASE ${database} FROM ${least.name}`],
        check: 'create-schemas',
        command: 'tenant provision org_new',
        says: `permission denied for database ${database}`,
      },
      {
        take: [`ALTER SCHEMA public OWNER TO ${user}`],
        check: 'own-public',
        also: ['create-in-public'],
        command: 'migrate master',
        files: { 'migrations/master/20250101000009_shared.sql': createTable('shared') },
        says: 'permission denied for schema public',
      },
      {
        take: [`REVOKE SELECT ON public.tenants FROM ${least.name}`],
        check: 'table-rights',
        command: 'status',
        says: 'permission denied for table tenants',
      },
      {
        take: [`REVOKE INSERT, UPDATE ON public.tenants FROM ${least.name}`],
        check: 'table-rights',
        command: 'tenant provision org_other',
        says: 'cannot insert one into public.tenants',
      },
      {
        take: [`REVOKE INSERT ON public.knex_migrations_master FROM ${least.name}`],
        check: 'table-rights',
        command: 'migrate master',
        files: { 'migrations/master/20250101000009_shared.sql': createTable('shared') },
        says: 'permission denied for table knex_migrations_master',
      },
      {
        take: [`REVOKE USAGE ON SCHEMA tenantctl FROM ${least.name}`],
        check: 'table-rights',
        command: 'migrate tenants',
        says: 'permission denied for schema tenantctl',
      },
      {
        take: [`REVOKE SELECT ON tenantctl.trusted_stamps FROM ${least.name}`],
        check: 'table-rights',
        command: 'migrate tenants',
        says: 'permission denied for view trusted_stamps',
      },
      {
        take: [`REVOKE INSERT ON tenantctl.runs FROM ${least.name}`],
        check: 'table-rights',
        command: 'migrate tenants',
        says: 'permission denied for table runs',
      },
      {
        take: [`ALTER SCHEMA ${schema} OWNER TO ${user}`],
        check: 'tenant-rights',
        command: 'migrate tenants',
        says: `permission denied for schema ${schema}`,
      },
    ];
    for (const loss of losses) await lose(stage, loss, {});
    await run('doctor');
    expect((await run('migrate tenants --json')).json()).toMatchObject({
      totals: { migrated: 1, failed: 0 },
    });
  });

  test('for the rights that TENANT_ROLE needs', async () => {
    const stage = await setOut('CREATEROLE', { ...MASTER, ...NOTES });
    const { least, project, run } = stage;
    const env = { TENANT_ROLE: `${least.prefix}_{schema}` };
    await run('migrate master');
    await run('tenant provision org_a', env);
    for (const [path, text] of Object.entries(MORE)) await project.write(path, text);
    const schema = schemaNameFor('org_a');
    const role = `${least.prefix}_${schema}`;
    const user = least.testDatabase.settings.user;
    const losses: Loss[] = [
      {
        take: [`ALTER ROLE ${least.name} NOCREATEROLE`],
        check: 'create-roles',
        status: 'warning',
        command: 'tenant provision org_new',
        says: 'may not create roles',
      },
      {
        take: [`REVOKE ${role} FROM ${least.name} CASCADE`],
        check: 'tenant-rights',
        command: 'migrate tenants',
        says: `is not a member of the role \\"${role}\\"`,
      },
      ...(inject('serverVersion') < 160_000
        ? []
        : [
            {
              take: [
                `REVOKE ${role} FROM ${least.name} CASCADE`,
                `GRANT ${role} TO ${least.name} WITH SET FALSE`,
              ],
              check: 'tenant-rights',
              command: 'migrate tenants',
              says: 'or may not switch to it',
            },
          ]),
      {
        take: [
          `ALTER SCHEMA ${schema} OWNER TO ${user}`,
          `ALTER TABLE ${schema}.notes OWNER TO ${user}`,
          `CREATE TYPE ${schema}.mood AS ENUM ('fine')`,
          `CREATE FUNCTION ${schema}.one() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
          `CREATE SEQUENCE ${schema}.numbers`,
        ],
        check: 'tenant-rights',
        command: 'migrate tenants',
        says: `belongs to ${user}, a superuser`,
      },
      {
        take: [`ALTER SCHEMA ${schema} OWNER TO ${least.name}`],
        check: 'tenant-rights',
        command: 'migrate tenants',
        says: 'which tenantctl itself works as',
      },
    ];
    for (const loss of losses) await lose(stage, loss, env);
    await run('doctor', env);
    await run('migrate tenants', env);
    expect(
      await least.testDatabase.query(
        `SELECT DISTINCT pg_get_userbyid(owner)::text AS owner FROM (
           SELECT relowner AS owner FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relname !~ '^knex_'
           UNION SELECT typowner FROM pg_type WHERE typnamespace = '${schema}'::regnamespace AND typname = 'mood'
           UNION SELECT proowner FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace AND proname = 'one') o`,
      ),
    ).toEqual([{ owner: role }]);
    // What is tenantctl's own has stayed so.
    expect(
      await least.testDatabase.query(
        `SELECT DISTINCT pg_get_userbyid(owner)::text AS owner FROM (
           SELECT relowner AS owner FROM pg_class
           WHERE relnamespace = '${schema}'::regnamespace AND relname ~ '^knex_' AND relkind = 'r'
           UNION SELECT proowner FROM pg_proc
           WHERE pronamespace = '${schema}'::regnamespace AND proname ~ '^tenantctl_') o`,
      ),
    ).toEqual([{ owner: least.name }]);
  });
});

import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { tenantctl } from '../support/cli.ts';
import { REGISTRY_SQL } from '../support/init-sql.ts';
import { createLeastRole, type LeastRole } from '../support/least-role.ts';
import { createProject, createTable, knexMigration } from '../support/project.ts';
import { readRecipe } from '../support/recipe.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIRST = 'migrations/tenants/20250101000001_notes.js';
const LATER = 'migrations/tenants/20260101000003_documents.sql';

/** A fleet of two tenants, migrated by a role with few rights, and a second role for the recipe. */
async function setOut() {
  const least = await createLeastRole();
  const other = `${least.prefix}_other`;
  await least.testDatabase.query(`CREATE ROLE "${other}"`);
  const project = await createProject({
    'package.json': '{"type":"module"}',
    'migrations/master/20250101000000_init_db.js': knexMigration(`await knex.raw(\`${REGISTRY_SQL}\`)`),
    [FIRST]: knexMigration(
      `await knex.raw('CREATE TABLE notes (id serial, body text)')`,
      `await knex.raw('DROP TABLE notes')`,
    ),
  });
  const run = async (exitCode: number, ...args: string[]) => {
    const result = await tenantctl(args, { cwd: project.folder, env: least.env });
    expect({ args, ...result }).toMatchObject({ args, exitCode });
    return result;
  };
  const schemaOf = async (organization: string) => {
    const [row] = await least.testDatabase.query<{ name: string }>(
      'SELECT schema_name AS name FROM tenants WHERE clerk_org_id = $1',
      [organization],
    );
    return row?.name ?? '';
  };
  await run(0, 'migrate', 'master');
  await run(0, 'tenant', 'provision', 'org_a', 'org_b');
  return { least, other, project, run, schemaOf, query: least.testDatabase.query };
}

test("the application's role may use tenants that come later, and tables that come later, but no history", async () => {
  const { least, other, project, run, schemaOf } = await setOut();
  const planned = await run(0, 'grant', 'application', other, '--dry-run');
  expect(planned.stdout).toContain(`GRANT SELECT ON "public"."tenants" TO ${other};`);
  const granted = await run(0, 'grant', 'application', other, '--json');
  expect(granted.json()).toMatchObject({ role: other, totals: { selected: 2, changed: 2, failed: 0 } });
  await run(0, 'tenant', 'provision', 'org_c');
  await project.write(LATER, createTable('documents', 'id serial PRIMARY KEY, title text'));
  await run(0, 'migrate', 'tenants');
  for (const organization of ['org_a', 'org_c']) {
    const schema = await schemaOf(organization);
    const use = (sql: string) => least.logInAs(other, `SET search_path = ${schema}`, sql);
    expect(await use(`INSERT INTO notes (body) VALUES ('x') RETURNING id`)).toEqual([{ id: 1 }]);
    expect(await use(`INSERT INTO documents (title) VALUES ('x') RETURNING id`)).toEqual([{ id: 1 }]);
    await expect(use('DELETE FROM knex_migrations_tenant')).rejects.toThrow('permission denied');
    await expect(use('CREATE TABLE mine ()')).rejects.toThrow('permission denied');
  }
  await run(1, 'grant', 'application', 'nobody');
  await run(0, 'grant', 'application', other, '--revoke');
  const inA = least.logInAs(other, `SELECT FROM ${await schemaOf('org_a')}.notes`);
  await expect(inA).rejects.toThrow('permission denied');
});

/** Each query of the exporter's file, run as the role that the page makes. */
async function scrape(least: LeastRole, role: string) {
  const [, yaml = ''] = [...(await readRecipe('alerts.md')).values()];
  const queries = [...yaml.matchAll(/^(\w+):\n {2}query: \|\n([^]*?)^ {2}metrics:/gm)];
  const found = new Map<string, object[]>();
  for (const [, name = '', sql = ''] of queries) found.set(name, await least.logInAs(role, sql));
  return found;
}

test('the queries of the alerts count every tenant once, and read what an upgrade has made anew', async () => {
  const { least, other, project, run, schemaOf, query } = await setOut();
  const [sql = ''] = (await readRecipe('alerts.md')).values();
  const rights = sql.replaceAll(/\bmigrator\b/g, least.name).replaceAll(/\bmonitor\b/g, other);
  await least.logInAs(least.name, rights);
  await run(0, 'tenant', 'provision', 'org_broken', 'org_suspended', 'org_unknown', 'org_level');
  await query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_suspended'`);
  await query(`CREATE TABLE ${await schemaOf('org_a')}.documents ()`);
  await project.write(LATER, createTable('documents'));
  await run(1, 'migrate', 'tenants', '--tenant', 'org_a', 'org_level', 'org_broken', 'org_unknown');
  await query(`DROP SCHEMA ${await schemaOf('org_broken')} CASCADE`);
  await query(`UPDATE ${await schemaOf('org_unknown')}.knex_migrations_tenant SET batch = batch`);
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_half', 'half', 'PROVISIONING')`,
  );

  const found = await scrape(least, other);
  const classes = found.get('tenantctl_fleet') as { class: string; tenants: string }[];
  expect(Object.fromEntries(classes.map((row) => [row.class, Number(row.tenants)]))).toEqual({
    level: 1,
    behind: 1,
    failed: 1,
    broken: 1,
    unknown: 1,
    provisioning: 1,
    not_active: 1,
  });
  expect(found.get('tenantctl_failures')).toEqual([{ code: 'MIGRATION_FAILED', tenants: '1' }]);
  expect(found.get('tenantctl_last_run')).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ command: 'migrate tenants', failed: 1, unfinished: 0 }),
      expect.objectContaining({ command: 'tenant provision', failed: 0, unfinished: 0 }),
    ]),
  );
  await query(`DROP VIEW tenantctl.trusted_stamps`);
  await least.logInAs(least.name, 'CREATE VIEW tenantctl.trusted_stamps AS SELECT 1 AS schema_oid');
  expect(await least.logInAs(other, 'SELECT * FROM tenantctl.trusted_stamps')).toHaveLength(1);
});

test('after the script that uninstalls, nothing in the catalog is of tenantctl, and Knex goes on', async () => {
  const { least, project, run, query } = await setOut();
  const [script = '', knex = ''] = (await readRecipe('uninstall.md')).values();
  // psql sends each row of the query before \gexec as a statement.
  const [, dropFunctions = '', dropSchema = ''] = /^(SELECT [^]*?)\\gexec\n([^]*)/m.exec(script) ?? [];
  const drops = await query<{ format: string }>(dropFunctions);
  expect(drops).toHaveLength(2);
  await least.logInAs(least.name, ...drops.map(({ format }) => format), dropSchema);
  expect(
    await query(
      `SELECT proname AS name FROM pg_proc WHERE proname ~ 'tenantctl' UNION ALL
       SELECT tgname FROM pg_trigger WHERE tgname ~ 'tenantctl' UNION ALL
       SELECT relname FROM pg_class WHERE relname ~ 'tenantctl' UNION ALL
       SELECT nspname FROM pg_namespace WHERE nspname ~ 'tenantctl' UNION ALL
       SELECT description FROM pg_description WHERE objoid > 16384 AND description ~* 'tenantctl'`,
    ),
  ).toEqual([]);
  await project.write(
    LATER.replace('.sql', '.js'),
    knexMigration(`await knex.raw('CREATE TABLE documents ()')`),
  );
  await project.write('migrate-with-knex.mjs', knex);
  await symlink(join(ROOT, 'node_modules'), join(project.folder, 'node_modules'));
  const child = startChild(process.execPath, ['migrate-with-knex.mjs'], {
    cwd: project.folder,
    env: least.env,
  });
  const { stdout, stderr } = await child.done;
  expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringContaining('public [ 1, [] ]') });
  expect(stdout.match(/\[ 2, \[ '20260101000003_documents.js' \] \]/g)).toHaveLength(2);
  await run(0, 'migrate', 'all');
  await run(0, 'status', '--check', '--verify');
});

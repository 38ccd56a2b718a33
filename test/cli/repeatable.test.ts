import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createProject, USUAL_FILES } from '../support/project.ts';

test('repeatable/tenants is found by itself, and status, migrate and provision say what its scripts need', async () => {
  const view = (text: string) => `CREATE OR REPLACE VIEW n AS SELECT ${text} FROM notes;\n`;
  const project = await createProject(USUAL_FILES);
  const run = (...args: string[]) => tenantctl([...args, '--embedded'], { cwd: project.folder });
  const before = await run('migrate', 'all', '--json');
  expect(before.json()).toMatchObject({ ok: true });
  expect((await run('status', '--json')).json()).not.toHaveProperty('repeatable');

  await project.write('repeatable/tenants/n.sql', view('id'));
  const provisioned = await run('tenant', 'provision', 'org_a');
  expect(provisioned.stdout).toContain('(2 migrations, 1 script,');
  await project.write('repeatable/tenants/n.sql', view('id, 1 AS one'));
  const checked = await run('status', '--check');
  expect(checked).toMatchObject({ exitCode: 6 });
  expect(checked.stdout).toContain('1 repeatable script, pending in 1 tenant');
  const migrated = await run('migrate', 'tenants');
  expect(migrated.stdout).toContain('repeatable/n.sql');
  expect(migrated.stdout).not.toMatch(/batch 0|rollback/);
  expect((await run('status', '--json')).json()).toMatchObject({
    tenants: { upToDate: 1 },
    repeatable: { scripts: 1, tenants: 0 },
  });

  await project.write('.env', 'TENANT_REPEATABLE_DIR=nowhere\n');
  const wrong = await run('status');
  expect(wrong).toMatchObject({ exitCode: 3 });
  expect(wrong.stderr).toContain('TENANT_REPEATABLE_DIR');
});

test('wherever a run is killed, each tenant has the effects of a script and its record, or neither', async () => {
  const ids = Array.from({ length: 8 }, (_, nth) => `org_${nth}`);
  const fleet = await createFleet(ids);
  const { project, testDatabase } = fleet;
  for (const id of ids) await fleet.query(`CREATE TABLE ${schemaNameFor(id)}.log (version int)`);
  // Each tenant's last effect, and what is recorded of it.
  const perTenant = ids
    .map((id) => {
      const schema = schemaNameFor(id);
      return `SELECT '${schema}' AS schema, (SELECT max(version) FROM ${schema}.log) AS effect, (SELECT count(*) FROM ${schema}.log WHERE version = $1)::int AS times,
        (SELECT s.checksum FROM tenantctl.scripts s WHERE s.schema_oid = '${schema}'::regnamespace) AS checksum`;
    })
    .join(' UNION ALL ');
  const checksums = new Map<string | null, number | null>([[null, null]]);
  const run = () => startCli(['migrate', 'tenants'], { cwd: project.folder, env: testDatabase.env });
  const begun = Date.now();
  let took = 0;
  let effects: (number | null)[] = [];
  for (let version = 0; version < 6; version += 1) {
    const text = `INSERT INTO log VALUES (${version});\nSELECT pg_sleep(0.02);\n`;
    checksums.set(createHash('sha256').update(text).digest('hex'), version);
    await project.write('repeatable/tenants/log.sql', text);
    const child = run();
    // The first one and the last one end by themselves; the others are killed at a later point each.
    if (version > 0 && version < 5) setTimeout(() => child.kill('SIGKILL'), took * (0.4 + version * 0.12));
    await child.done.catch(() => {});
    if (version === 0) took = Date.now() - begun;
    // A backend may still be at work on the string that it was sent.
    await vi.waitUntil(async () => {
      const [others] = await fleet.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database()
         AND application_name LIKE 'tenantctl%' AND state <> 'idle'`,
      );
      return others?.count === 0;
    });
    const rows = await fleet.query<{
      schema: string;
      effect: number | null;
      times: number;
      checksum: string | null;
    }>(perTenant, [version]);
    for (const { effect, times, checksum } of rows) {
      expect(checksums.get(checksum)).toBe(effect);
      expect(times).toBe(effect === version ? 1 : 0);
    }
    effects = rows.map(({ effect }) => effect);
  }
  expect(effects).toEqual(ids.map(() => 5));
});

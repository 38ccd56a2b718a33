import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../support/gate.ts';
import { createTable } from '../support/project.ts';

interface Document {
  readonly error?: { readonly code: string; readonly hint?: string };
  readonly tenants?: readonly { readonly outcome: string; readonly error?: Record<string, unknown> }[];
}

const TYPED = `
import type { TenantHooks } from 'tenantctl';
enum Plan { Free = 'free' }
export const afterProvision: TenantHooks['afterProvision'] = async ({ knex, tenant }) => {
  await knex('notes').insert({ id: 1 });
  await knex('public.billing').insert({ org: tenant.clerkOrgId, plan: Plan.Free });
};
export async function beforeSuspend({ tenant }: { tenant: { clerkOrgId: string } }): Promise<void> {
  throw new Error(\`\${tenant.clerkOrgId} has unpaid invoices\`);
}
`;

test('the program finds tenantctl.hooks.ts beside the migrations, and refuses what it cannot use', async () => {
  const fleet = await createFleet([]);
  const { project, testDatabase } = fleet;
  await fleet.query('CREATE TABLE public.billing (org text, plan text)');
  const run = (...args: string[]) => tenantctl(args, { cwd: project.folder, env: testDatabase.env });
  await project.write('tenantctl.hooks.ts', TYPED);
  expect(await run('tenant', 'provision', 'org_a', 'org_b')).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await fleet.query('SELECT * FROM public.billing ORDER BY org')).toEqual([
    { org: 'org_a', plan: 'free' },
    { org: 'org_b', plan: 'free' },
  ]);

  expect((await run('tenant', 'suspend', 'org_a', '--dry-run')).exitCode).toBe(0);
  const suspended = await run('tenant', 'suspend', 'org_a', '--json');
  expect(suspended.exitCode).toBe(1);
  expect(suspended.json<Document>().tenants?.[0]).toMatchObject({
    outcome: 'failed',
    error: {
      code: 'HOOK_FAILED',
      migration: 'beforeSuspend (tenantctl.hooks.ts)',
      at: 'tenantctl.hooks.ts:9',
    },
  });
  const shown = await run('runs', 'show', 'latest');
  expect(shown.stdout).toContain('beforeSuspend (tenantctl.hooks.ts): org_a has unpaid invoices');

  await fleet.add('3_links.sql', createTable('links'));
  const refused = async (code: string, hint: string) => {
    for (const args of [
      ['migrate', 'all'],
      ['tenant', 'provision', 'org_c'],
      ['tenant', 'suspend', 'org_a'],
    ]) {
      const { exitCode, ...result } = await run(...args, '--json');
      const { error } = result.json<Document>();
      expect({ exitCode, code: error?.code }).toEqual({ exitCode: 1, code });
      expect(error?.hint).toContain(hint);
    }
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
    expect(await fleet.query('SELECT clerk_org_id AS id FROM tenants ORDER BY 1')).toEqual([
      { id: 'org_a' },
      { id: 'org_b' },
    ]);
  };
  await project.write('tenantctl.hooks.ts', 'export function afterProvison() {}');
  await refused('HOOKS_INVALID', 'Did you mean afterProvision?');
  const { checks } = (await run('doctor', '--json')).json<{ checks: { id: string; status: string }[] }>();
  expect(checks.find(({ id }) => id === 'hooks-file')).toMatchObject({ status: 'failed' });
  // Neither rolls back nor reads: what calls no hooks does not load them.
  expect((await run('status')).exitCode).toBe(0);
  expect((await run('migrate', 'tenants', '--dry-run')).exitCode).toBe(0);
  await project.write('migrations/tenantctl.hooks.mjs', 'export function afterProvision() {}');
  await refused('HOOKS_INVALID', 'Keep one of them');
  await project.remove('tenantctl.hooks.ts');
  expect((await run('migrate', 'all')).exitCode).toBe(0);
});

test('a command that is killed in a hook leaves nothing of it, and runs again', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { project, testDatabase } = fleet;
  const gate = await closeGate(testDatabase);
  await project.write(
    'tenantctl.hooks.mjs',
    `export async function afterMigrate({ knex }) { await knex('notes').insert({ id: 1 }); await knex.raw(${JSON.stringify(WAIT_AT_GATE)}); }
    export const afterProvision = afterMigrate;`,
  );
  await fleet.add('3_links.sql', createTable('links'));
  const options = { cwd: project.folder, env: testDatabase.env };
  const commands = [
    ['migrate', 'tenants'],
    ['tenant', 'provision', 'org_c'],
  ];
  const children = commands.map((args) => startCli(args, options));
  await gate.reached(2);
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ done }) => done));
  await gate.open();
  for (const args of commands) expect((await tenantctl(args, options)).exitCode).toBe(0);
  for (const id of ['org_a', 'org_b', 'org_c']) {
    const rows = await fleet.query(`SELECT * FROM ${schemaNameFor(id)}.notes`);
    expect(rows).toEqual([{ id: 1 }]);
    expect(await fleet.tables(id)).toEqual(['links', 'notes', 'tags']);
  }
});

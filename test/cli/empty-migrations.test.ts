import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

function programOf({ project, testDatabase: { env } }: TestFleet) {
  return (...args: string[]): Promise<CliResult> => tenantctl(args, { cwd: project.folder, env });
}

test('a tenant migration as `make` wrote it is refused before anything runs, in every format', async () => {
  const fleet = await createFleet(['org_a']);
  const run = programOf(fleet);
  const names = [];
  for (const extension of ['.ts', '.js', '.cjs', '.mjs', '.sql']) {
    const made = await run('make', 'tenant', 'later', '--format', extension.replace(/\.[mc]?/, ''), '--json');
    const path = join(fleet.project.folder, made.json<{ path: string }>().path);
    const name = path.replace(/\.\w+$/, extension);
    await rename(path, name);
    names.push(name.slice(fleet.project.tenants.length + 1));
  }
  await fleet.add('20250101000003_links.sql', createTable('links'));
  await fleet.project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  await run('migrate', 'master');
  await fleet.project.write('migrations/master/20250101000010_most.sql', createTable('most'));

  const [commonJs = ''] = names.filter((name) => name.endsWith('.cjs'));
  await fleet.project.write(
    `migrations/tenants/${commonJs}`,
    (await readFile(join(fleet.project.tenants, commonJs), 'utf8'))
      .replaceAll('\n', ' \r\n')
      .replace('exports.down', '// TODO\r\nexports.down'),
  );

  const all = await run('migrate', 'all');
  const allDry = await run('migrate', 'all', '--dry-run');
  await fleet.project.remove('migrations/master/20250101000010_most.sql');
  const refused = [
    all,
    allDry,
    await run('migrate', 'tenants'),
    await run('migrate', 'tenants', '--dry-run'),
    await run('tenant', 'provision', 'org_b'),
  ];

  for (const { exitCode, stdout, stderr } of refused) {
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(`✖ ${names.join(', ')} are as \`make\` wrote them: up and down are empty.`);
    expect(stderr).toContain('→ Fill in up and down, or delete the files.');
  }
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  expect(await fleet.query(`SELECT to_regclass('public.most') AS most`)).toEqual([{ most: null }]);
  expect(await fleet.query('SELECT clerk_org_id FROM tenants')).toEqual([{ clerk_org_id: 'org_a' }]);
});

test('a master migration as `make` wrote it is refused, and by the dry run', async () => {
  const fleet = await createFleet([]);
  const run = programOf(fleet);
  await run('make', 'master', 'countries');
  const name = (await readdir(fleet.project.master)).find((each) => each.includes('countries')) ?? '';

  for (const args of [['--dry-run'], []]) {
    const { exitCode, stderr } = await run('migrate', 'master', ...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`✖ ${name} is as \`make\` wrote it`);
  }
});

test('a skeleton that the tenants have applied already does not stop a new tenant', async () => {
  const fleet = await createFleet(['org_a']);
  const name = '20250101000003_empty.cjs';
  await fleet.add(
    name,
    'exports.up = function(knex) { return knex.raw("SELECT 1"); };\nexports.down = function(knex) {};',
  );
  await fleet.migrate();
  await fleet.add(name, 'exports.up = function(knex) {};\nexports.down = function(knex) {};');

  expect(await fleet.provision('org_b')).toMatchObject([{ outcome: 'provisioned' }]);
  expect(await fleet.history('org_b')).toEqual([
    '20250101000001_notes.sql@1',
    '20250101000002_tags.sql@1',
    `${name}@1`,
  ]);
});

test('an up that sends nothing to any tenant is a warning, once for each run', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.add('20250101000003_forgotten.cjs', 'exports.up = (knex) => { knex.schema.hasTable; };');
  await fleet.add('20250101000004_comments.sql', '-- migrate:up\n-- nothing /* yet */\n/* at all */;\n');
  await fleet.add(
    '20250101000005_for_one.cjs',
    `exports.up = async (knex) => { if (knex.userParams.clerkOrgId === 'org_d') await knex.raw('SELECT 1'); };`,
  );
  await fleet.add(
    '20250101000006_has_it.cjs',
    `exports.up = async ({ schema }) => { if (!(await schema.hasTable('notes'))) await schema.createTable('notes', () => {}); };`,
  );
  await fleet.add(
    '20250101000007_moved.cjs',
    'exports.up = async function up(knex) {\n  // Moved.\n};\nexports.down = async function down(knex) {\n};\n',
  );
  await fleet.project.write('migrations/master/20250101000009_none.cjs', 'exports.up = async () => {};');
  const run = programOf(fleet);

  const master = await run('migrate', 'master');
  const tenants = await run('migrate', 'tenants');
  const again = await run('migrate', 'tenants');

  const warning = (names: string) =>
    `! ${names} sent nothing to the database. Is it filled in, and does it await or return each query?\n`;
  expect(master).toMatchObject({ exitCode: 0, stderr: warning('20250101000009_none.cjs') });
  expect(tenants).toMatchObject({
    exitCode: 0,
    stderr: warning('20250101000003_forgotten.cjs, 20250101000004_comments.sql, 20250101000007_moved.cjs'),
  });
  expect(again.stderr).toBe('');

  // What was sent and refused was sent.
  await fleet.add(
    '20250101000007_refused.cjs',
    `exports.up = async (knex) => { if (knex.userParams.clerkOrgId === 'org_d') await knex.raw('SELECT nope'); };`,
  );
  expect((await run('migrate', 'tenants')).stderr).not.toContain('sent nothing');
  expect(await fleet.history('org_d')).toHaveLength(7);
});

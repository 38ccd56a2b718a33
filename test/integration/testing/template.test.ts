import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createTemplate, type Template, type TemplateOptions } from '../../../src/testing.ts';
import { startChild } from '../../support/child.ts';
import { createTable, usualProject, type TestProject } from '../../support/project.ts';
import { createQueries, type Queries } from '../../support/queries.ts';

const ENTRY = join(import.meta.dirname, '../../../src/testing.ts');

/** Databases on the test server whose name begins with that of a template. */
async function databases(template: Template): Promise<string[]> {
  const { name } = await template.fresh();
  const rows = await onServer<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1',
    [name.replace(/_run.*$/, '')],
  );
  return rows.map((row) => row.name).filter((each) => each !== name);
}

async function onServer<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
  return on(inject('serverUrl'))<Row>(text, values);
}

function on(url: string): Queries['query'] {
  const queries = createQueries(url);
  onTestFinished(() => queries.close());
  return queries.query;
}

/** createTemplate for a project on the test server. What it leaves is dropped when the test ends. */
async function templateOf(project: TestProject, options: TemplateOptions = {}): Promise<Template> {
  const template = await createTemplate({
    folder: project.folder,
    variables: { DATABASE_URL: inject('serverUrl') },
    ...options,
  });
  onTestFinished(async () => {
    const left = await databases(template);
    await template.close();
    for (const name of left) await onServer(`DROP DATABASE IF EXISTS ${name}`);
  });
  return template;
}

test('many processes at once make a template once, later runs find it, and a change of a migration makes another', async () => {
  const project = await usualProject();
  let built = 0;
  const open = () =>
    templateOf(project, {
      tenants: ['acme'],
      prepare: async () => {
        built += 1;
      },
    });
  const first = open();
  const opened = await Promise.all([first, open(), open(), open()]);
  expect(built).toBe(1);
  const [base = '', ...others] = await databases(await first);
  expect(others).toEqual([expect.stringContaining(`${base}_`)]);
  await project.write('migrations/tenants/20250101000003_more.sql', createTable('more'));
  const later = await open();
  expect(built).toBe(2);
  expect(await databases(later)).not.toContain(base);
  const db = await later.fresh();
  expect(await on(db.url)('SELECT status FROM tenants')).toEqual([{ status: 'ACTIVE' }]);
  // The template that an open one was made from is gone: it is made again.
  const old = await Promise.all(opened.map((template) => template.fresh()));
  expect(new Set(old.map(({ name }) => name)).size).toBe(4);
});

test('each fresh database is its own, has the tenants that the test names, and is dropped while it is in use', async () => {
  const template = await templateOf(await usualProject(), { tenants: ['acme'] });
  const [a, b, other] = await Promise.all([
    template.fresh(),
    template.fresh(),
    template.fresh({ tenants: ['beta', 'gamma'] }),
  ]);
  const organizations = (url: string) => on(url)('SELECT clerk_org_id AS org FROM tenants ORDER BY 1');
  await on(a.url)('DELETE FROM tenants');
  expect(await organizations(a.url)).toEqual([]);
  expect(await organizations(b.url)).toEqual([{ org: 'acme' }]);
  expect(await organizations(other.url)).toEqual([{ org: 'beta' }, { org: 'gamma' }]);
  const standing = new Client({ connectionString: a.url });
  standing.on('error', () => {});
  await standing.connect();
  await a.close();
  await a.close();
  expect(await onServer('SELECT FROM pg_database WHERE datname = $1', [a.name])).toEqual([]);
  await standing.end();
});

test('a pool that the application has just ended is not cut off when its database is dropped', async () => {
  const template = await templateOf(await usualProject());
  const errors: Error[] = [];
  for (let times = 0; times < 8; times += 1) {
    const db = await template.fresh();
    const pool = new Pool({ connectionString: db.url });
    pool.on('connect', (client) => client.on('error', (error) => errors.push(error)));
    await Promise.all([1, 2, 3, 4, 5, 6].map(() => pool.query('SELECT pg_sleep(0.01)')));
    await pool.end();
    await db.close();
  }
  expect(errors).toEqual([]);
});

test('a run that was killed leaves nothing: its databases are dropped, its half-made template is made anew', async () => {
  const project = await usualProject();
  const options = JSON.stringify({
    folder: project.folder,
    variables: { DATABASE_URL: inject('serverUrl') },
    tenants: ['acme'],
  });
  /** Runs this in another process, which is killed when it prints something. */
  const kill = async (body: string) => {
    const text = `import { createTemplate } from ${JSON.stringify(ENTRY)};
      const options = ${options}; const forever = () => new Promise(() => setInterval(() => {}, 1000)); ${body}`;
    const child = startChild(process.execPath, ['--input-type=module', '--eval', text], {
      cwd: project.folder,
    });
    child.stdout?.once('data', () => child.kill('SIGKILL'));
    return (await child.done).stdout.trim();
  };
  expect(
    await kill(`options.prepare = () => forever(console.log('building')); await createTemplate(options)`),
  ).toBe('building');
  const standing = await templateOf(project, { tenants: ['acme'] });
  const kept = await standing.fresh();
  const left = await kill(
    `console.log((await (await createTemplate(options)).fresh()).name); await forever()`,
  );
  expect(await onServer('SELECT FROM pg_database WHERE datname = $1', [left])).toHaveLength(1);
  const later = await templateOf(project, { tenants: ['acme'] });
  expect(await databases(later)).toEqual([
    expect.stringMatching(/_[0-9a-f]{10}_[0-9a-f]{10}$/),
    expect.stringMatching(/_[0-9a-f]{10}_[0-9a-f]{10}_[0-9a-f]{10}$/),
    kept.name,
  ]);
});

test('a migration that fails says so and leaves no database; embedded and missing rights are refused', async () => {
  const project = await usualProject();
  await project.write('migrations/tenants/20250101000003_bad.sql', '-- migrate:up\nSELECT 1/0;\n');
  const variables = { DATABASE_URL: inject('serverUrl') };
  const create = (more: object) =>
    createTemplate({ folder: project.folder, tenants: ['acme'], variables: { ...variables, ...more } });
  await expect(create({})).rejects.toMatchObject({ code: 'MIGRATION_FAILED', sqlstate: '22012' });
  await project.remove('migrations/tenants/20250101000003_bad.sql');
  expect(await databases(await templateOf(project))).toHaveLength(1);
  await expect(create({ DATABASE_URL: '', DB_EMBEDDED: 'here' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  await onServer(`CREATE ROLE no_createdb LOGIN PASSWORD 'x'`);
  onTestFinished(async () => {
    await onServer('DROP ROLE no_createdb');
  });
  const url = new URL(inject('serverUrl'));
  Object.assign(url, { username: 'no_createdb', password: 'x' });
  await project.write('migrations/tenants/20250101000004_other.sql', createTable('other'));
  await expect(create({ DATABASE_URL: url.href })).rejects.toMatchObject({
    code: 'RIGHTS_MISSING',
    hint: expect.stringContaining('ALTER ROLE "no_createdb" CREATEDB'),
  });
});

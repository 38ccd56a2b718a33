import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createProject, createTable } from '../support/project.ts';

const NAMES = {
  REGISTRY_TABLE: 'public.customers',
  REGISTRY_COLUMNS: 'organization=slug,schema=db_schema,status=state',
  REGISTRY_STATUSES: 'PROVISIONING=new,ACTIVE=live|trial,FAILED=broken',
  MASTER_HISTORY_TABLE: 'knex_migrations',
  TENANT_HISTORY_TABLE: 'knex_migrations',
  TENANT_SCHEMA_PREFIX: 'c_',
};

test('every command takes the names of the registry and the histories from .env', async () => {
  const database = await createDatabase();
  const project = await createProject({
    '.env': Object.entries(NAMES)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    'migrations/master/1_areas.sql': createTable('areas'),
    'migrations/master/2_customers.sql':
      '-- migrate:up\nCREATE TABLE customers (slug text PRIMARY KEY, db_schema text UNIQUE, state text);\n',
    'migrations/tenants/1_notes.sql': createTable('notes'),
  });
  const run = async (line: string, env: Readonly<Record<string, string>> = {}) => {
    const result = await tenantctl([...line.split(' '), '--json'], {
      cwd: project.folder,
      env: { ...database.env, ...env },
    });
    return { exitCode: result.exitCode, ...result.json() };
  };

  expect(await run('migrate all')).toMatchObject({ exitCode: 0 });
  expect(await run('tenant provision acme')).toMatchObject({ exitCode: 0 });
  expect(await run('tenant list')).toMatchObject({
    tenants: [{ clerkOrgId: 'acme', schema: expect.stringMatching(/^c_[0-9a-f]{10}$/), status: 'ACTIVE' }],
  });
  expect(await database.query('SELECT state FROM customers')).toEqual([{ state: 'live' }]);
  expect(await database.query('SELECT name FROM knex_migrations ORDER BY id')).toEqual([
    { name: '1_areas.sql' },
    { name: '2_customers.sql' },
  ]);
  expect(await run('status', { REGISTRY_TABLE: 'public.tenants' })).toMatchObject({
    exitCode: 3,
    error: { code: 'NAMES_DIFFER', hint: expect.stringContaining('Set REGISTRY_TABLE=public.customers') },
  });
  expect(await run('status', { REGISTRY_COLUMNS: 'slug' })).toMatchObject({
    exitCode: 3,
    error: {
      code: 'CONFIG_INVALID',
      details: [expect.stringContaining('REGISTRY_COLUMNS: "slug" is not of the form')],
    },
  });
});

import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createOwner } from '../support/role.ts';
import { usualProject } from '../support/project.ts';

const CANARY = 'c4nary-pa55';

/** Ways to fail while a password is at hand, told to people and as a document in turn. */
const FAILURES: readonly (readonly [
  string,
  string[],
  (env: Record<string, string>) => Record<string, string>,
])[] = [
  ['nobody listens', ['status'], (env) => ({ ...env, DB_PORT: '1' })],
  ['no such host', ['migrate', 'master', '--json'], (env) => ({ ...env, DB_HOST: 'nowhere.invalid' })],
  ['no such database', ['tenant', 'list'], (env) => ({ ...env, DB_NAME: 'nowhere' })],
  [
    'no such role',
    ['tenant', 'provision', 'org_a', '--json'],
    (env) => ({ ...env, DB_USER: 'nobody_at_all' }),
  ],
  ['no TLS', ['status'], (env) => ({ ...env, DB_SSL: 'true' })],
  ['a broken variable', ['status', '--json'], (env) => ({ ...env, DB_PORT: 'x' })],
  ['the URL as the host', ['status'], (env) => ({ ...env, DB_HOST: `postgres://a:${CANARY}@b/c` })],
  ['a URL without a host', ['status', '--json'], () => ({ DATABASE_URL: `postgres://a:${CANARY}@/c` })],
  ['a URL that is none', ['status'], () => ({ DATABASE_URL: `postgres:/a:${CANARY}@b/c` })],
  ['a slash in the password', ['status', '--json'], () => ({ DATABASE_URL: `postgres://a:${CANARY}/@b/c` })],
  ['a percent sign in the password', ['status'], () => ({ DATABASE_URL: `postgres://a:${CANARY}%@b/c` })],
  [
    'a URL to nowhere',
    ['status', '--json'],
    () => ({ DATABASE_URL: `postgres://a:${CANARY}@127.0.0.1:1/c` }),
  ],
];

test.for(FAILURES)('the password stays secret: %s', async ([, args, change]) => {
  const project = await usualProject();
  const { env } = await createDatabase();
  const call = { cwd: project.folder, env: change({ ...env, DB_PASSWORD: CANARY }) };

  const { exitCode, stdout, stderr } = await tenantctl([...args, '--verbose'], call);

  expect([3, 4]).toContain(exitCode);
  expect(stdout + stderr).not.toContain(CANARY);
});

test('the password stays secret when a migration fails, and in what is remembered of it', async () => {
  const project = await usualProject({
    'migrations/tenants/20250101000003_broken.sql': '-- migrate:up\nALTER TABLE x ADD y int;\n',
  });
  const testDatabase = await createDatabase();
  const { env } = await createOwner(testDatabase, CANARY);
  const call = { cwd: project.folder, env };

  const results = [
    await tenantctl(['migrate', 'master', '--verbose'], call),
    await tenantctl(['tenant', 'provision', 'org_a', '--verbose'], call),
    await tenantctl(['tenant', 'show', 'org_a', '--json', '--verbose'], call),
    await tenantctl(['doctor', '--verbose'], call),
  ];
  const remembered = await testDatabase.query(`SELECT * FROM tenantctl.tenant_failures`);

  expect(results.map(({ exitCode }) => exitCode).slice(0, 3)).toEqual([0, 1, 0]);
  expect(remembered).toHaveLength(1);
  const everything = JSON.stringify([results.map(({ stdout, stderr }) => stdout + stderr), remembered]);
  expect(everything).not.toContain(CANARY);
});

import { expect, test } from 'vitest';
import { judge } from '../../../src/core/doctor/check.ts';
import { KNEX_VERSION } from '../../../src/core/doctor/knex-version.ts';
import { KNEXFILE, readKnexfile } from '../../../src/core/doctor/knexfile.ts';
import { createProject } from '../../support/project.ts';

async function lineFor(files: Readonly<Record<string, string>>) {
  const project = await createProject({ 'package.json': '{}', ...files });
  return judge(KNEXFILE, readKnexfile(project.tenants))[0];
}

test('a knexfile with settings that tenantctl does not read is a warning with what to do', async () => {
  const text = `module.exports = { client: 'pg', wrapIdentifier: (value, wrap) => wrap(snakeCase(value)),
    migrations: { directory: ['./a', './b'], loadExtensions: ['.js'], disableTransactions: true } };`;
  for (const name of ['knexfile.js', 'migrations/knexfile.ts'])
    expect(await lineFor({ [name]: text })).toMatchObject({
      status: 'warning',
      detail: expect.stringContaining('wrapIdentifier, several directories, loadExtensions'),
      remedy: expect.stringMatching(/several directories: .*disableTransactions: Add export const config/),
    });
});

test('a knexfile without them, or none, is no finding', async () => {
  expect(await lineFor({})).toMatchObject({ status: 'ok', detail: 'none' });
  const text = `// wrapIdentifier: none
    export default { migrations: { directory: './migrations', disableTransactions: false } };`;
  expect(await lineFor({ 'knexfile.mjs': text })).toMatchObject({ status: 'ok' });
});

test("a project's Knex that cannot run its migrations is a warning", () => {
  const statusOf = (version?: string) => judge(KNEX_VERSION, version)[0]?.status;
  for (const version of [undefined, '0.21.7', '0.95.15', '1.0.7', '2.5.1', '3.1.0'])
    expect([version, statusOf(version)]).toEqual([version, 'ok']);
  for (const version of ['0.20.15', '0.9.5', '4.0.0'])
    expect([version, statusOf(version)]).toEqual([version, 'warning']);
});

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadHooks } from '../../../src/core/files/load-hooks.ts';
import { createProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const load = async (name: string, text: string) => {
  const project = await createProject({ [name]: text, 'package.json': '{"type":"module"}' });
  return loadHooks(join(project.folder, name));
};

test.for([
  [
    'tenantctl.hooks.ts',
    `import type { TenantHooks } from 'tenantctl';
    export const afterMigrate: TenantHooks['afterMigrate'] = async ({ knex }) => { await knex.raw('SELECT 1'); };`,
  ],
  [
    'tenantctl.hooks.mts',
    `import type { TenantHooks } from 'tenantctl';
    export default { afterMigrate() {} } satisfies TenantHooks;`,
  ],
  ['tenantctl.hooks.js', 'export async function afterMigrate() {}'],
  ['tenantctl.hooks.cjs', 'exports.afterMigrate = () => {};'],
  ['tenantctl.hooks.cjs', 'module.exports = { afterMigrate() {} };'],
  ['tenantctl.hooks.cts', 'enum Needs { Jiti = 1 } exports.afterMigrate = () => Needs.Jiti;'],
] as const)('%s exports hooks: %s', async ([name, text]) => {
  const { hooks, file } = await load(name, text);
  expect(Object.keys(hooks)).toEqual(['afterMigrate']);
  expect(file.name).toBe(name);
});

test.for([
  ['export const afterMigrat = () => {};', 'exports "afterMigrat"', 'Did you mean afterMigrate?'],
  ['export default { onMigrate() {} };', 'exports "onMigrate"', 'beforeProvision, afterProvision'],
  ['export default function beforeMigrate() {}', 'exports "default"', 'exports nothing but hooks'],
  ['export const beforeMigrate = true;', 'exports "beforeMigrate", which is not a function', undefined],
  ['export {};', 'exports no hook', 'It may export beforeProvision'],
  ['export const = 1;', 'cannot be loaded', 'Correct tenantctl.hooks.js'],
  ["import './nowhere.js';", 'cannot be loaded', 'Install what it imports'],
  ["throw new Error('no key')", 'no key', 'Correct tenantctl.hooks.js'],
] as const)('a hooks file with %s is refused: %s', async ([text, message, hint]) => {
  const error = await refusalOf(load('tenantctl.hooks.js', text));
  expect(error).toMatchObject({ code: 'HOOKS_INVALID' });
  expect(error.message).toContain(`tenantctl.hooks.js ${message}`.replace(/^.* no key$/, 'no key'));
  expect(error.hint ?? '').toContain(hint ?? '');
});

test('a file that does not exist is refused', async () => {
  expect(await refusalOf(loadHooks('/nowhere/tenantctl.hooks.ts'))).toMatchObject({
    code: 'HOOKS_INVALID',
    message: expect.stringContaining('tenantctl.hooks.ts does not exist') as string,
  });
});

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { tenantOption } from '../../../src/wording.ts';
import { provisionCommand } from '../../../src/core/registry/not-active.ts';
import { parse } from '../../support/parse.ts';

/** The tenants that a call selects by these flags. */
async function selected(flag: 'tenant' | 'canary', words: readonly string[]): Promise<unknown> {
  const program = createProgram('1.0.0', () => Promise.resolve());
  await program.parseAsync(['migrate', 'tenants', ...words], { from: 'user' });
  const tenants = program.commands
    .flatMap(({ commands }) => commands)
    .find((command) => command.name() === 'tenants');
  const value: unknown = tenants?.opts()[flag];
  return flag === 'tenant' ? value : (value as { tenants: unknown }).tenants;
}

test.for([
  [['org_a,org_b']],
  [['org_a, org_b']],
  [['org_a', 'org_b']],
  [['org_a', '+', 'org_b']],
  [['org_a,', '+', ',org_b']],
] as const)('%j: --tenant and --canary take lists in the same ways', async ([words]) => {
  for (const flag of ['tenant', 'canary'] as const) {
    const args = ['+', ...words].map((word) => (word === '+' ? `--${flag}` : word));
    expect(await selected(flag, args)).toEqual(['org_a', 'org_b']);
  }
});

test('a name that contains a comma is written in double quotes', async () => {
  expect(await selected('tenant', ['--tenant', '"Acme, Inc.",org_b,"a ""b"""'])).toEqual([
    'Acme, Inc.',
    'org_b',
    'a "b"',
  ]);
  expect(await selected('canary', ['--canary', '"5"'])).toEqual(['5']);
});

test('tenant provision takes the same lists', async () => {
  const program = createProgram('1.0.0', () => Promise.resolve());
  const words = ['org_a,org_b', ' org_c', '"Acme, Inc."'];
  await program.parseAsync(['tenant', 'provision', ...words], { from: 'user' });
  const provision = program.commands
    .flatMap(({ commands }) => commands)
    .find((command) => command.name() === 'provision');
  expect(provision?.processedArgs).toEqual([['org_a', 'org_b', 'org_c', 'Acme, Inc.']]);
  expect(provisionCommand(['org_a', 'Acme, Inc.', ' x'])).toBe(
    `tenantctl tenant provision org_a '"Acme, Inc."' '" x"'`,
  );
});

test.for(['--tenant ,', '--canary ,', '--canary 5 --canary org_a', '--canary org_a 20%', '--canary 5 6'])(
  '%s is a usage error',
  async (flags) => {
    const call = ['migrate', 'tenants', ...flags.split(' ')];
    expect(await parse(call)).toEqual({ hint: 'tenantctl migrate tenants --help shows how to call it.' });
  },
);

test.for([
  [['org_a', 'org_b'], '--tenant org_a org_b'],
  [['comma,org', 'a'], `--tenant='"comma,org"' --tenant='"a"'`],
  [["o'rg"], `--tenant 'o'\\''rg'`],
  [['-dash'], `--tenant='"-dash"'`],
  [['say "hi"'], `--tenant='"say ""hi"""'`],
  [[' space $(id) '], `--tenant='" space $(id) "'`],
] as const)('the option that a hint names selects %j', async ([names, option]) => {
  expect(tenantOption(names)).toBe(option);
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${option}`], { encoding: 'utf8' });
  expect(await selected('tenant', words.split('\n').slice(0, -1))).toEqual(names);
});

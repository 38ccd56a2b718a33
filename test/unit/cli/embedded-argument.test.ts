import { expect, test } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { settleEmbedded } from '../../../src/cli/flags/embedded-argument.ts';

const program = createProgram('1.0.0', () => Promise.resolve());

test.for([
  ['--embedded migrate master', '--embedded= migrate master'],
  ['--embedded ./data migrate master', '--embedded=./data migrate master'],
  ['--embedded data migrate master', '--embedded=data migrate master'],
  ['--embedded=data migrate master', '--embedded=data migrate master'],
  ['migrate --embedded master', 'migrate --embedded= master'],
  ['migrate master --embedded', 'migrate master --embedded='],
  ['migrate master --embedded --json', 'migrate master --embedded= --json'],
  ['migrate master --embedded ./data --json', 'migrate master --embedded=./data --json'],
  ['migrate tenants --embedded data', 'migrate tenants --embedded=data'],
  ['status --embedded data', 'status --embedded=data'],
  // An organization or a name of a migration is no folder, unless it looks like one.
  ['tenant provision --embedded org_1', 'tenant provision --embedded= org_1'],
  ['tenant provision org_1 --embedded', 'tenant provision org_1 --embedded='],
  ['tenant --embedded provision org_1', 'tenant --embedded= provision org_1'],
  ['tenant provision --embedded ./data org_1', 'tenant provision --embedded=./data org_1'],
  ['make tenant --embedded add_links', 'make tenant --embedded= add_links'],
  ['--embedded resolve org_1 --retry', '--embedded= resolve org_1 --retry'],
  ['resolve --embedded org_1 --retry', 'resolve --embedded= org_1 --retry'],
  ['--embedded runs show 3', '--embedded= runs show 3'],
  ['runs --embedded show 3', 'runs --embedded= show 3'],
  // What stands behind -- is not looked at.
  ['tenant provision -- --embedded x', 'tenant provision -- --embedded x'],
  ['--json --embedded', '--json --embedded='],
] as const)('"%s" means "%s"', ([given, settled]) => {
  expect(settleEmbedded(given.split(' '), program).join(' ')).toBe(settled);
});

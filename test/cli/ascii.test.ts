import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

const NOT_ASCII = /[^\0-\u007F]+/g;

/** Does everything that has marks, dots, bars or arrows: what succeeds, what fails, and what asks. */
const COMMANDS = [
  'init',
  'make tenant more',
  'doctor --verbose',
  'status',
  'status --all',
  'migrate all --dry-run',
  'migrate tenants --canary 1',
  'migrate tenants --verbose',
  'status --verbose',
  'tenant list',
  'tenant show org_a',
  'tenant show nobody',
  'tenant provision org_new',
  'runs',
  'runs show latest',
  'rollback tenants --all',
  'rollback tenants --tenant org_b --yes',
  'exec --sql SELECT(1)',
  'exec --sql SELECT',
  'resolve org_a --retry',
  'nosuch',
];

test('without UTF-8 every command writes plain ASCII, and data as it is', async ({ skip }) => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_zoë']);
  const { project, testDatabase } = fleet;
  await fleet.add('20250101000003_works.sql', createTable('works'));
  await fleet.add('20250101000004_broken.sql', '-- migrate:up\nALTER TABLE nowhere ADD COLUMN x int;\n');
  await testDatabase.query(`DELETE FROM tenants WHERE clerk_org_id = 'org_b'`);
  const options = { cwd: project.folder, env: { ...testDatabase.env, LC_ALL: 'C' } };

  const strange: Record<string, string[]> = {};
  const look = (command: string, text: string) => {
    const found = text.match(NOT_ASCII)?.filter((part) => part !== 'ë') ?? [];
    if (found.length > 0) strange[command] = found;
  };
  let all = '';
  for (const command of COMMANDS) {
    const { stdout, stderr } = await tenantctl(command.split(' '), options);
    look(command, stdout + stderr);
    all += stdout + stderr;
  }
  expect(strange).toEqual({});
  for (const mark of ['+ ', 'x ', '! ', '- ', '-> ', '###']) expect(all).toContain(mark);
  expect(all).toContain('org_zoë');

  skip(noTerminal !== undefined, noTerminal);
  for (const command of ['migrate tenants', 'status', 'rollback tenants --all']) {
    const { shown } = await tenantctlOnTerminal(command.split(' '), {
      ...options,
      columns: 60,
      typed: { after: /\[y\/N\]/, text: 'n\n' },
    });
    look(`${command} on a terminal`, shown);
  }
  expect(strange).toEqual({});
});

test('the help of every command is ASCII', () => {
  const allOf = (command: ReturnType<typeof createProgram>): string[] => [
    command.helpInformation(),
    ...command.commands.flatMap((each) => allOf(each)),
  ];
  const texts = allOf(createProgram('0.0.0', () => Promise.resolve()));
  expect(texts.length).toBeGreaterThan(20);
  expect(texts.join('').match(NOT_ASCII)).toBeNull();
});

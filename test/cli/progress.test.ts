import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

/** Erases the rest of the line that the cursor is in. */
const ERASE = '\u001B[0K';

/** More than are listed one by one. */
const ORGANIZATIONS = Array.from({ length: 26 }, (_, index) => `org_${index}`);

async function failingFleet() {
  const fleet = await createFleet(ORGANIZATIONS);
  await fleet.add('20250101000003_broken.sql', '-- migrate:up\nALTER TABLE nowhere ADD COLUMN x int;\n');
  return fleet;
}

test('a migration that fails for every tenant is told once, with the reason, on a terminal and off one', async ({
  skip,
}) => {
  const { project, testDatabase } = await failingFleet();
  const options = { cwd: project.folder, env: testDatabase.env };
  const reason = /relation "nowhere" does not exist/g;

  const { stdout, stderr } = await tenantctl(['migrate', 'tenants'], options);
  expect((stdout + stderr).match(reason)).toHaveLength(1);
  expect(stdout).toMatch(
    /^✖ 26 tenants failed: 20250101000003_broken\.sql: relation .*\n +org_0, .* and 21 more\n/,
  );

  const json = await tenantctl(['migrate', 'tenants', '--json'], options);
  expect(json.stderr.match(reason)).toHaveLength(1);
  expect(json.stderr).toContain('✖ 26 tenants failed at 20250101000003_broken.sql (SQLSTATE 42P01)');
  expect(json.json()).toMatchObject({ totals: { failed: 26 } });

  const verbose = await tenantctl(['--verbose', 'migrate', 'tenants', '--json'], options);
  expect(verbose.stderr.match(/^✖ org_\d+ tid_/gm)).toHaveLength(26);

  skip(noTerminal !== undefined, noTerminal);
  const { shown } = await tenantctlOnTerminal(['migrate', 'tenants'], options);
  expect(shown.match(reason)).toHaveLength(1);
});

test('on a terminal each line stands complete above the moving line, which is removed at the end', async ({
  skip,
}) => {
  skip(noTerminal !== undefined, noTerminal);
  const { project, testDatabase } = await failingFleet();

  const { shown } = await tenantctlOnTerminal(['--no-color', '--verbose', 'migrate', 'tenants'], {
    cwd: project.folder,
    env: testDatabase.env,
  });

  const lines = shown.split('\r\n').map(visible);
  for (const organization of ORGANIZATIONS) {
    expect(lines).toContainEqual(
      expect.stringMatching(new RegExp(`^✖ ${organization} tid_\\w+ .*SQLSTATE 42P01\\)$`)),
    );
  }
  expect(shown).toContain('0/26 tenants');
  expect(lines.join('\n')).not.toContain('/26 tenants');
});

/** What is left of a line when the terminal has erased what it was told to: the moving line that stood there. */
function visible(line: string): string {
  return stripVTControlCharacters(line.slice(Math.max(0, line.lastIndexOf(ERASE))));
}

import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

const TEN = Array.from({ length: 10 }, (_, nth) => `org_${nth}`);

/** Fails for every tenant whose table tags has a row. */
const UNLESS_TAGGED = `-- migrate:up
ALTER TABLE tags ADD CONSTRAINT no_tags CHECK (id < 0);
-- migrate:down
ALTER TABLE tags DROP CONSTRAINT no_tags;
`;

function migrate(fleet: TestFleet, ...flags: string[]): Promise<CliResult> {
  return tenantctl(['migrate', 'tenants', ...flags], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
}

async function tag(fleet: TestFleet, organization: string): Promise<void> {
  await fleet.query(`INSERT INTO ${schemaNameFor(organization)}.tags VALUES (1)`);
}

/** How many tenants have a table. */
async function countWith(fleet: TestFleet, table: string): Promise<number> {
  return (await fleet.query('SELECT FROM pg_tables WHERE tablename = $1', [table])).length;
}

test('canaries and waves are shown with their results, and the document lists each', async () => {
  const fleet = await createFleet(TEN);
  await fleet.add('3_links.sql', createTable('links'));
  const { exitCode, stdout, stderr } = await migrate(fleet, '--canary', '1', '--wave', '50%', '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    totals: { migrated: 10, failed: 0, skipped: 0 },
    rollout: {
      planned: 3,
      waves: [
        { kind: 'canary', tenants: 1, migrated: 1 },
        { kind: 'wave', number: 1, of: 2, tenants: 5, migrated: 5 },
        { kind: 'wave', number: 2, of: 2, tenants: 4, migrated: 4 },
      ],
    },
  });
  expect(stderr.replaceAll(/\([\d.]+ m?s\)/g, '(1 s)')).toBe(
    '█░░░░░░░░░ Canaries: 1 tenant ✔ 1 done (1 s)\n██████░░░░ Wave 1 of 2: 5 tenants ✔ 5 done (1 s)\n██████████ Wave 2 of 2: 4 tenants ✔ 4 done (1 s)\n',
  );
});

test('a failed canary stops the run: exit code 1, and text and document give the reason', async () => {
  const fleet = await createFleet(TEN);
  await tag(fleet, 'org_7');
  await fleet.add('3_no_tags.sql', UNLESS_TAGGED);

  const asJson = await migrate(fleet, '--canary', 'org_3,org_7', '--json');
  expect(asJson.exitCode).toBe(1);
  expect(asJson.json()).toMatchObject({
    ok: false,
    error: { code: 'ROLLOUT_STOPPED' },
    totals: { migrated: 1, failed: 1, skipped: 8 },
    rollout: { stopped: { among: 'canaries', failed: 1, allowed: 0, of: 2 } },
  });

  const forPeople = await migrate(fleet, '--canary', schemaNameFor('org_7'));
  expect(forPeople.exitCode).toBe(1);
  expect(forPeople.stdout + forPeople.stderr).toContain(
    'The rollout was stopped at the canaries: 1 of 1 canary failed (limit: 0 failures)',
  );
});

test('--on-canary-failure rollback restores the canaries', async () => {
  const fleet = await createFleet(TEN);
  await tag(fleet, 'org_7');
  await fleet.add('3_links.sql', createTable('links'));
  expect((await migrate(fleet, '--canary', '1')).exitCode).toBe(0);
  await fleet.add('4_more.sql', createTable('more'));
  await fleet.add('5_no_tags.sql', UNLESS_TAGGED);

  const { exitCode, stdout } = await migrate(
    fleet,
    '--canary',
    'org_3,org_4,org_7',
    '--on-canary-failure',
    'rollback',
    '--json',
  );
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'ROLLOUT_STOPPED' },
    rollout: { rolledBack: { tenants: 2, failed: 0 } },
  });
  const shown = await tenantctl(['runs'], { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  expect(shown.stdout).toContain('2 migrated and rolled back again, 1 failed, 7 left out');
  expect(await countWith(fleet, 'more')).toBe(0);
  expect(await countWith(fleet, 'links')).toBe(10);
});

test('a tenant that does not pass the check has failed, and the error shows the rows', async () => {
  const fleet = await createFleet(TEN);
  await fleet.add('3_links.sql', createTable('links'));
  await tag(fleet, 'org_7');
  await fleet.project.write('no-tags.sql', 'SELECT id AS tag FROM tags WHERE id > 0; -- none is allowed\n');

  const { exitCode, stdout } = await migrate(fleet, '--canary', 'org_7', '--check', 'no-tags.sql', '--json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    totals: { migrated: 0, failed: 1, skipped: 9 },
    tenants: expect.arrayContaining([
      expect.objectContaining({
        clerkOrgId: 'org_7',
        outcome: 'failed',
        applied: ['3_links.sql'],
        error: expect.objectContaining({ code: 'CHECK_REFUSED', details: ['{"tag":1}'] }) as object,
      }),
    ]) as object[],
  });

  await fleet.query(`DELETE FROM ${schemaNameFor('org_7')}.tags`);
  const again = await migrate(fleet, '--check', 'no-tags.sql', '--json');
  expect(again.json()).toMatchObject({ ok: true, totals: { migrated: 9, upToDate: 1 } });
});

test('after more failures than allowed, no tenant is started and running ones finish', async () => {
  const fleet = await createFleet(TEN);
  for (const organization of TEN) await tag(fleet, organization);
  await fleet.add('3_no_tags.sql', UNLESS_TAGGED);
  const { exitCode, stdout } = await migrate(fleet, '--max-failures', '20%', '--concurrency', '1', '--json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'ROLLOUT_STOPPED' },
    totals: { migrated: 0, failed: 3, skipped: 7 },
    rollout: { stopped: { among: 'tenants', failed: 3, allowed: 2, of: 10 } },
  });
});

test('migrate all takes the same flags', async () => {
  const fleet = await createFleet(['org_0', 'org_1']);
  await fleet.add('3_links.sql', createTable('links'));
  const { exitCode, stdout } = await tenantctl(['migrate', 'all', '--canary', '50%', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  expect(exitCode).toBe(0);
  expect(stdout).toContain('"canary"');
});

test.each([
  [['--canary', '0'], 'a percentage above 0 %'],
  [['--canary', '101%'], 'a percentage above 0 %'],
  [['--wave', 'half'], 'a percentage above 0 %'],
  [['--max-failures', '-1'], 'a whole number from 0'],
  [['--max-canary-failures', '1'], 'Add --canary'],
  [['--pause', '5'], 'Add --canary or --wave'],
  [['--canary', '1', '--pause', 'long'], 'a number of seconds'],
  [['--on-canary-failure', 'rollback'], 'Add --canary'],
  [['--canary', '1', '--on-canary-failure', 'weep'], 'stop'],
  [['--max-replica-lag', 'much'], 'milliseconds'],
  [['--check', 'nowhere.sql'], 'it does not exist'],
  [['--check', 'two.sql'], 'has 2 statements'],
  [['--check', 'write.sql'], 'is not a query'],
  [['--check', 'broken.sql'], 'does not parse'],
] as const)('%j is refused before anything is done: exit code 2', async (flags, said) => {
  const fleet = await createFleet(['org_0']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.project.write('two.sql', 'SELECT true; SELECT true;');
  await fleet.project.write('write.sql', 'DELETE FROM tags');
  await fleet.project.write('broken.sql', 'SELEKT true');
  const { exitCode, stderr, stdout } = await migrate(fleet, ...flags);
  expect(stderr).toContain(said);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(await countWith(fleet, 'links')).toBe(0);
});

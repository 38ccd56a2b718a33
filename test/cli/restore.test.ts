import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test('tenant restore --from says what is wrong with the other database, and replaces only what it says', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { host, port, user, database } = fleet.testDatabase.settings;
  const url = (name: string) => `postgres://${user}@${host}:${port}/${name}`;
  const run = (...args: string[]) =>
    tenantctl(['tenant', ...args], { cwd: fleet.project.folder, env: fleet.testDatabase.env });

  expect(await run('restore', 'org_a', '--from', `postgres://${host}/copy`)).toMatchObject({
    exitCode: 2,
    stderr:
      '✖ The URL of --from cannot be used.\n  --from: names no user\n→ It has the form postgres://user:password@host:port/database.\n',
  });
  const absent = await run('restore', 'org_a', '--from', url('absent'));
  expect(absent).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining('or correct the URL of --from.'),
  });
  const unknown = await run('restore', 'org_x', '--from', url(database), '--as', 'org_y');
  expect(unknown).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('The other database has no tenant "org_x".'),
  });

  const bare = await run('restore', 'org_a', '--from', url('postgres'));
  expect(bare).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(
      /✖ In the other database: There is no registry: [^]*→ Give the URL of a database that tenantctl manages/,
    ),
  });

  expect((await run('backup', 'org_a', '--out', 'backups')).exitCode).toBe(0);
  const [name = ''] = await readdir(join(fleet.project.folder, 'backups'));
  const file = join('backups', name);
  expect((await run('restore', file, '--dry-run')).stderr).toContain(
    'To put the backup in its place: --replace.',
  );
  const planned = await run('restore', file, '--as', 'org_b', '--replace', '--dry-run');
  expect(planned.stdout).toMatch(/→ It would replace org_b in tid_\w+, by \d migrations\./);

  const unasked = await run('restore', file, '--as', 'org_b', '--replace');
  expect(unasked).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/This replaces org_b \(tid_\w+, ACTIVE\): \d+ tables?, about \d+ rows?/),
  });
  const replaced = await run('restore', file, '--as', 'org_b', '--replace', '--yes');
  expect(replaced).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/org_b is ACTIVE in /) });
  await run('suspend', 'org_b');
  const suspended = await run('restore', file, '--as', 'org_b', '--replace', '--yes');
  expect(suspended).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/org_b is SUSPENDED in /) });
});

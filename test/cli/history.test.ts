import { expect, test } from 'vitest';
import { acceptEdits } from '../../src/core/commands/accept-edits.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

test('an edit of an applied file is a warning until it is accepted, and again after the next edit', async () => {
  const fleet = await createFleet(['org_a']);
  const { project, testDatabase } = fleet;
  const run = (...args: string[]) => tenantctl(args, { cwd: project.folder, env: testDatabase.env });
  const NOTES = '20250101000001_notes.sql';
  const edit = async (text: string) => {
    await fleet.add(NOTES, `${createTable('notes')}${text}\n`);
    await project.write('migrations/master/20250101000001_notes.sql', `${createTable('shared')}${text}\n`);
  };
  await edit('');
  await run('migrate', 'master');
  await run('migrate', 'tenants');
  await edit('-- said better');

  const warned = [await run('migrate', 'master'), await run('migrate', 'tenants')];
  for (const { exitCode, stderr } of warned) {
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`! Edited after it was applied: ${NOTES}.`);
    expect(stderr).toContain(`accept it: tenantctl history accept ${NOTES}`);
  }

  const masterOnly = await run('history', 'accept', `migrations/master/${NOTES}`, '--master', '--json');
  const both = await run('history', 'accept', '20250101000001_notes', '20250101000002_tags.sql');
  const silent = [await run('migrate', 'master'), await run('migrate', 'tenants')];
  expect(masterOnly.json()).toEqual({
    command: 'history accept',
    ok: true,
    files: [{ scope: 'master', name: NOTES, outcome: 'accepted' }],
  });
  expect(both).toMatchObject({ exitCode: 0, stderr: '' });
  expect(both.stdout.split('\n')).toEqual([
    `✔ ${NOTES} (master migration) has not been edited since it was applied or accepted.`,
    `✔ ${NOTES} (tenant migration): the edit is accepted.`,
    '✔ 20250101000002_tags.sql (tenant migration) has not been edited since it was applied or accepted.',
    '',
  ]);
  expect(silent).toMatchObject([{ stderr: '' }, { stderr: '' }]);

  await edit('-- and better still');
  expect((await run('migrate', 'tenants')).stderr).toContain(`! Edited after it was applied: ${NOTES}.`);
  const folders = { masterFolder: project.master, tenantFolder: project.tenants };
  expect(await acceptEdits(fleet.database, { ...folders, names: [NOTES] })).toMatchObject([
    { scope: 'master', outcome: 'accepted' },
    { scope: 'tenants', outcome: 'accepted' },
  ]);
});

test('accepting an unknown or a pending file is an error, and accepts nothing', async () => {
  const fleet = await createFleet(['org_a']);
  const run = (...args: string[]) =>
    tenantctl(['history', 'accept', ...args], { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  await fleet.add('20250101000001_notes.sql', `${createTable('notes')}-- edited\n`);
  await fleet.add('20250101000003_links.sql', createTable('links'));

  const unknown = await run('note', '--tenants');
  const pending = await run('20250101000001_notes.sql', '20250101000003_links.sql');

  expect(unknown.exitCode).toBe(1);
  expect(unknown.stderr).toContain('✖ There is no migration "note" in ');
  expect(unknown.stderr).toContain('→ Did you mean 20250101000001_notes.sql?');
  expect(pending.exitCode).toBe(1);
  expect(pending.stderr).toContain('✖ 20250101000003_links.sql: not recorded as applied');
  const again = await tenantctl(['migrate', 'tenants'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  expect(again.stderr).toContain('! Edited after it was applied: 20250101000001_notes.sql.');
});

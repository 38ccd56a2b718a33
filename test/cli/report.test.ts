import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { ReportDocument } from '../../src/core/documents/report-document.ts';
import { CLI_ENV, PROGRAM, tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { createProject, usualProject } from '../support/project.ts';

function report({ project, testDatabase }: TestFleet, ...args: string[]) {
  return tenantctl(['report', ...args], { cwd: project.folder, env: testDatabase.env });
}

/** The data that a page was written with. */
function dataOf(page: string): ReportDocument {
  return JSON.parse(/id="report">(.*)<\/script>/.exec(page)?.[1] ?? '') as ReportDocument;
}

test('the page holds the document of --json, and goes to a file or to stdout', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);

  const json = (await report(fleet, '--json', '--html', 'fleet.html')).json();
  const { readAt: _, ...facts } = json;
  expect(facts).toMatchObject({
    command: 'report',
    ok: true,
    status: { tenants: { total: 2, upToDate: 2 }, master: { pending: [] } },
    tenants: [{ clerkOrgId: 'org_a', class: 'upToDate', code: null, version: '20250101000002_tags.sql' }, {}],
  });
  const page = await readFile(join(fleet.project.folder, 'fleet.html'), 'utf8');
  expect(dataOf(page)).toMatchObject(facts);
  expect(page).toMatch(/^<!doctype html>/);

  const piped = await report(fleet, '--html', '-', '--limit', '1', '--no-sizes');
  expect(piped).toMatchObject({ exitCode: 0, stderr: '' });
  const { tenants, runs } = dataOf(piped.stdout);
  expect(tenants.some(({ bytes }) => bytes !== undefined)).toBe(false);
  expect(runs).toHaveLength(1);
  expect(piped.stdout.trimEnd()).toMatch(/<\/html>$/);
});

test('a file is replaced in one step, keeps its mode, and a link to it stays one', async () => {
  const fleet = await createFleet(['org_a']);
  const { folder } = fleet.project;
  await mkdir(join(folder, 'public'));
  await fleet.project.write('public/fleet.html', 'old');
  await chmod(join(folder, 'public/fleet.html'), 0o640);
  await symlink('public/fleet.html', join(folder, 'link.html'));

  const written = await report(fleet, '--html', 'link.html');

  expect(written.stdout).toMatch(/^Wrote link\.html: 1 tenant, 2 runs, \d+ kB\n$/);
  expect((await stat(join(folder, 'public/fleet.html'))).mode & 0o777).toBe(0o640);
  expect(await readFile(join(folder, 'public/fleet.html'), 'utf8')).toContain('org_a');
  expect(await readdir(join(folder, 'public'))).toEqual(['fleet.html']);
});

test('the page hides secrets that the environment knows, wherever the database has them', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_leak.sql',
    `-- migrate:up\nDO $$ BEGIN RAISE 'mailer said: s3cret-Swordfish-93'; END $$;`,
  );
  await fleet.migrate();

  const { stdout } = await tenantctl(['report', '--html', '-'], {
    cwd: fleet.project.folder,
    env: { ...fleet.testDatabase.env, SMTP_PASSWORD: 's3cret-Swordfish-93' },
  });

  const { tenants, runs } = dataOf(stdout);
  expect(tenants[0]?.problem).toContain('mailer said: ***');
  expect(runs[0]?.causes[0]?.message).toContain('mailer said: ***');
  expect(stdout).not.toContain('Swordfish');
});

test('a pipe is written to: --html >(gzip > fleet.html.gz)', async () => {
  const fleet = await createFleet(['org_a']);
  const { project, testDatabase } = fleet;
  await promisify(execFile)(
    'bash',
    ['-c', `"$0" "$1" report --html >(cat >copy.html); wait`, process.execPath, PROGRAM],
    {
      cwd: project.folder,
      env: { ...CLI_ENV, ...testDatabase.env },
    },
  );
  expect(await readFile(join(project.folder, 'copy.html'), 'utf8')).toMatch(/<\/html>\n$/);
});

test('a report that could not be written is refused before the database is asked', async () => {
  const project = await createProject({ 'a file': '' });
  // Nobody listens there.
  const env = { DATABASE_URL: 'postgres://u@127.0.0.1:1/d' };
  const call = (...args: string[]) => tenantctl(['report', ...args], { cwd: project.folder, env });

  const folder = await call('--html', '.');
  expect([folder.exitCode, folder.stderr]).toEqual([1, '✖ . cannot be written: it is a folder.\n']);
  expect((await call('--html', 'no/such/folder.html', '--json')).json()).toMatchObject({
    error: { code: 'FILE_UNUSABLE' },
  });
  expect((await call('--html', 'a file/report.html')).stderr).toContain(
    'a file/report.html cannot be written',
  );
  expect((await call('--html', 'no/such/folder.html')).stderr).toContain('there is no folder no/such.');
  expect((await call()).stderr).toContain('--html report.html');
  expect(await call()).toMatchObject({ exitCode: 2 });
  expect(await call('--html', '-', '--json')).toMatchObject({ exitCode: 2 });
});

test('without a registry there is no report, as with status', async () => {
  const project = await usualProject();
  const { env } = await createDatabase();
  const result = await tenantctl(['report', '--html', 'fleet.html'], { cwd: project.folder, env });
  expect(result).toMatchObject({ exitCode: 1 });
  expect(result.stderr).toContain('migrate master');
  expect(await readdir(project.folder)).not.toContain('fleet.html');
});

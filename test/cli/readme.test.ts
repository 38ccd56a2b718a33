import { glob, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createProject } from '../support/project.ts';

test("the README's five minutes without a server work to the letter in an empty folder", async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, section = ''] = /^## Five minutes, without a server\n([^]*?)^## /m.exec(readme) ?? [];
  const project = await createProject();
  await project.remove('migrations');
  const outputs = new Map<string, string>();
  for (const [, language = '', block = ''] of section.matchAll(/^```(\w+)\n([^]*?)^```/gm)) {
    if (language === 'ts') {
      const made = (await readdir(project.tenants)).find((name) => name.endsWith('_add_user_preferences.ts'));
      await project.write(`migrations/tenants/${made}`, block);
      continue;
    }
    for (const line of block.trim().split('\n')) {
      const command = line.replace(/ *#.*/, '');
      const result = await tenantctl(command.split(' ').slice(1), { cwd: project.folder });
      expect({ command, ...result }).toMatchObject({ command, exitCode: 0 });
      outputs.set(command, result.stdout);
    }
  }
  expect(outputs.get('tenantctl --embedded tenant provision default_tenant')).toContain('tid_cf4116b064');
  expect(outputs.get('tenantctl --embedded migrate tenants --dry-run')).toContain(
    'create table "user_preferences"',
  );
  expect(outputs.get('tenantctl --embedded status')).toContain('1 up to date');
  expect(outputs.get('tenantctl --embedded rollback tenants --run 3')).toContain('1 rolled back');
});

/** What differs from run to run. */
const plain = (text: string) =>
  text
    .replaceAll(/^Run \d+ .*\n/gm, '')
    .replaceAll(/\/\S*\/(?=backups\/)/g, '')
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\d{8}T\d{9}Z|\b\d{14}(?=_)/g, 'TIME')
    .replaceAll(/\d+(?:\.\d+)? (?:ms|s)\b/g, 'TOOK')
    .replaceAll(/\d+(?:\.\d+)? kB/g, 'SIZE')
    .replaceAll(/from PostgreSQL .*/g, 'from PostgreSQL')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'HASH');

test("the README leads a tenant through its whole life in fifteen commands, and shows each command's output", async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, migration = ''] = /```ts\n(import type \{ Knex \}[^]*?)```/.exec(readme) ?? [];
  const [, mask = '', walk = ''] =
    /^## A tenant's whole life\n[^]*?```json\n([^]*?)```[^]*?```\n([^]*?)```/m.exec(readme) ?? [];
  const { env } = await createDatabase();
  const project = await createProject({ 'mask.json': mask });
  await project.remove('migrations');
  for (const args of [['init'], ['migrate', 'master']])
    expect(await tenantctl(args, { cwd: project.folder, env })).toMatchObject({ exitCode: 0 });
  await project.write('migrations/tenants/20260301120000_add_user_preferences.ts', migration);
  const steps = walk.split(/^\$ tenantctl /m).slice(1);
  expect(steps).toHaveLength(15);
  for (const step of steps) {
    const [command = '', ...expected] = step.split('\n');
    const args: string[] = [];
    for (const word of command.split(' '))
      if (word.includes('*')) for await (const file of glob(word, { cwd: project.folder })) args.push(file);
      else args.push(word);
    const { exitCode, stdout } = await tenantctl(args, { cwd: project.folder, env });
    expect({ command, exitCode, output: plain(stdout) }).toEqual({
      command,
      exitCode: 0,
      output: plain(expected.join('\n')),
    });
  }
  const { stdout } = await tenantctl(['runs'], { cwd: project.folder, env });
  for (const [verb, did] of [
    ['restore', 'restored'],
    ['clone', 'cloned'],
    ['unarchive', 'unarchived'],
  ])
    expect(stdout).toMatch(new RegExp(`tenant ${verb} +done +1 ${did}`));
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
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

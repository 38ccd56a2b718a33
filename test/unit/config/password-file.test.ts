import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../../support/child.ts';

const FILE = join(import.meta.dirname, '../../../src/config/password-file.ts');

test('a user without a home folder, or whose home folder is closed, has no password file', async (context) => {
  if (process.getuid?.() !== 0) context.skip('Only root can become a user without an entry in /etc/passwd.');
  const script = `const file = await import(${JSON.stringify(FILE)});
    process.setgid(54321); process.setuid(54321);
    const path = file.passwordFilePath();
    console.log(path, path && file.passwordFileProblem(path));`;
  const run = (HOME: string | undefined) =>
    startChild(process.execPath, ['--input-type=module', '-e', script], { env: { HOME } }).done;
  expect(await run(undefined)).toMatchObject({ exitCode: 0, stdout: 'undefined undefined\n' });
  expect(await run('/proc/1/root')).toMatchObject({ stdout: '/proc/1/root/.pgpass does not exist\n' });
});

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEnvFile } from '../../../src/config/sources.ts';
import { makeMigration, type MadeMigration } from '../../../src/core/files/make.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { createProject } from '../../support/project.ts';

/** Whatever somebody may type for a name: paths, quotes, other scripts, names that a device or a shell knows. */
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  fc
    .array(
      fc.constantFrom('..', '.', '/', '\\', '~', 'a', '\0', '%2e', ' ', 'con', '$(x)', '`x`', '\u202E'),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
  fc.constantFrom(
    '__proto__',
    'constructor',
    '-rf',
    '--help',
    '.env',
    '/etc/passwd',
    '..\\..\\x',
    'x'.repeat(300),
  ),
);

test('a name for `make` is refused, or becomes one file in the folder and nothing anywhere else', async () => {
  const project = await createProject({ 'root/migrations/.gitkeep': '' });
  const root = join(project.folder, 'root');
  const folder = join(root, 'migrations');
  const outside = await readdir(project.folder);
  const made: string[] = [];
  await fc.assert(
    fc.asyncProperty(name, fc.constantFrom('sql', 'js', 'ts'), async (given, format) => {
      const before = (await readdir(root, { recursive: true })).length;
      const outcome = await makeMigration({ folder, name: given, format }).catch((error: unknown) => error);
      const after = (await readdir(root, { recursive: true })).length;
      const isRefused = outcome instanceof TenantctlError;
      expect(after - before).toBe(isRefused ? 0 : 1);
      if (!isRefused) made.push((outcome as MadeMigration).path);
    }),
    { numRuns: 400 },
  );
  expect(made.length).toBeGreaterThan(80);
  expect(new Set(made.map(dirname))).toEqual(new Set([folder]));
  for (const path of made) expect(path).toMatch(/\/\d{14}_[A-Za-z0-9_-]+\.(?:sql|js|ts)$/);
  expect(await readdir(project.folder)).toEqual(outside);
});

test('what stands in single quotes in a .env file is the value, whatever a shell would make of it', async () => {
  const { folder } = await createProject({});
  const owned = join(folder, 'owned');
  const value = fc
    .oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc
        .array(
          fc.constantFrom(
            '$HOME',
            '${PATH}',
            `$(touch ${owned})`,
            `\`touch ${owned}\``,
            '"',
            '\\',
            '#',
            '=',
            ' ',
            '\\n',
            '!',
            '*',
          ),
          { maxLength: 10 },
        )
        .map((parts) => parts.join('')),
    )
    .filter((text) => !/['\r]/.test(text));
  await mkdir(join(folder, 'env'));
  let turns = 0;
  await fc.assert(
    fc.asyncProperty(value, async (text) => {
      const file = `env/${(turns += 1)}`;
      await writeFile(join(folder, file), `BEFORE=1\nDB_PASSWORD='${text}'\nAFTER=2\n`);
      expect(readEnvFile(folder, file).variables).toEqual({ BEFORE: '1', DB_PASSWORD: text, AFTER: '2' });
    }),
    { numRuns: 500 },
  );
  expect(await readdir(folder)).not.toContain('owned');
});

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PROGRAM, tenantctl } from '../support/cli.ts';
import { createProject } from '../support/project.ts';

/** Writes the URL of each module that is loaded into a file, and at the end which of Node's own were. */
const WITNESS = `
const { appendFileSync } = require('node:fs');
const { registerHooks } = require('node:module');
const note = (line) => appendFileSync(process.env.WITNESS, line + '\\n');
registerHooks({
  load(url, context, next) {
    note(url);
    return next(url, context);
  },
});
process.on('exit', () => note(process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).join('\\n')));
`;

/** Runs the program and returns its files that were read, and all else that was loaded. */
async function loadedBy(args: readonly string[]) {
  const project = await createProject({ 'witness.cjs': WITNESS, 'seen.txt': '' });
  const result = await tenantctl(args, {
    cwd: project.folder,
    env: {
      NODE_OPTIONS: `--require=${JSON.stringify(`${project.folder}/witness.cjs`)}`,
      WITNESS: `${project.folder}/seen.txt`,
    },
  });
  const seen = (await readFile(`${project.folder}/seen.txt`, 'utf8')).trim().split('\n');
  const root = dirname(dirname(PROGRAM));
  const files = seen.filter((line) => line.startsWith('file:')).map((url) => fileURLToPath(url));
  const own = files.filter((path) => path.startsWith(`${root}/bin/`) || path.startsWith(`${root}/dist/`));
  return {
    result,
    own,
    text: (await Promise.all(own.map((path) => readFile(path, 'utf8')))).join('\n'),
    foreign: files.filter((path) => !own.includes(path) && basename(path) !== 'witness.cjs'),
    builtins: seen.filter((line) => line.startsWith('NativeModule ')).map((line) => line.slice(13)),
  };
}

/** Words that are in a bundled package and nowhere else. */
const COMMANDER = 'commander.missingMandatoryOptionValue';
const ZOD = 'invalid_union';

test('--help loads only the tree of commands: no package, no check of variables', async () => {
  const { result, foreign, text, builtins } = await loadedBy(['--help']);

  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  expect(foreign).toEqual([]);
  expect(text).toContain(COMMANDER);
  expect(text).not.toContain(ZOD);
  // What an import of node:fs, node:util and node:child_process would have loaded.
  for (const name of ['internal/fs/promises', 'internal/util/diff', 'child_process'])
    expect(builtins).not.toContain(name);
});

test('--version does not load the tree of commands', async () => {
  const { result, foreign, text } = await loadedBy(['--version']);

  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  expect(foreign).toEqual([]);
  expect(text).not.toContain(COMMANDER);
});

test('the tree of commands shows the same version', async () => {
  const { folder } = await createProject();

  const alone = await tenantctl(['--version'], { cwd: folder });
  const parsed = await tenantctl(['--no-color', '--version'], { cwd: folder });

  expect(parsed).toMatchObject({ exitCode: 0, stderr: '', stdout: alone.stdout });
});

test('a command without a database loads no driver, but checks the variables', async () => {
  const { result, foreign, text } = await loadedBy(['init']);

  expect(result.exitCode).toBe(0);
  expect(foreign).toEqual([]);
  expect(text).toContain(ZOD);
});

test('compiled code is kept beside the program, readable for its user only', async () => {
  const { folder } = await createProject();
  // The variable of the tests would win over the program's own folder.
  const options = { cwd: folder, env: { NODE_COMPILE_CACHE: '' } };
  expect(await tenantctl(['--version'], options)).toMatchObject({ exitCode: 0, stderr: '' });

  const kept = join(dirname(dirname(PROGRAM)), '.compile-cache');
  const files = (await readdir(kept, { recursive: true })).map((name) => join(kept, name));
  // Another process may be about to name a file.
  const found = await Promise.all(files.map((path) => stat(path).catch(() => undefined)));
  const modes = found.flatMap((facts) => (facts?.isFile() === true ? [facts.mode & 0o777] : []));
  expect(new Set(modes)).toEqual(new Set([0o600]));
});

test('the program asks nothing of env that BusyBox lacks, such as -S: it starts on Alpine Linux', async () => {
  expect((await readFile(PROGRAM, 'utf8')).split('\n')[0]).toBe('#!/usr/bin/env node');
});

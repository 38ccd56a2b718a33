import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ASCII, takesUnicode } from '../../../src/cli/render/look.ts';

test.for([
  [{ LANG: 'en_US.UTF-8' }, true],
  [{ LANG: 'C.utf8' }, true],
  [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, false],
  [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, true],
  [{ LANG: 'C.UTF-8', LC_ALL: '' }, true],
  [{ LANG: 'de_DE@euro' }, false],
  [{ LANG: 'POSIX' }, false],
  [{}, false],
  [{ LANG: 'C.UTF-8', TERM: 'linux' }, false],
] as const)('on Linux the locale %j takes Unicode: %s', ([variables, expected]) => {
  expect(takesUnicode(variables, 'linux')).toBe(expected);
});

test('macOS and the terminals of Windows take Unicode without a locale', () => {
  expect(takesUnicode({}, 'darwin')).toBe(true);
  expect(takesUnicode({ LANG: 'C' }, 'darwin')).toBe(false);
  expect(takesUnicode({ WT_SESSION: '1' }, 'win32')).toBe(true);
  expect(takesUnicode({}, 'win32')).toBe(false);
});

test('the plain marks are ASCII', () => {
  for (const mark of Object.values(ASCII)) expect(mark).toMatch(/^[!-~]+$/);
});

/** A browser, unlike a terminal, shows every character. */
const PAGE = join('page', '');

test('no text of the program has another character than ASCII: its marks are in look.ts', async () => {
  const source = join(import.meta.dirname, '../../../src');
  const files = (await readdir(source, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.startsWith(PAGE),
  );
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(join(source, file), 'utf8');
    for (const [number, line] of text.split('\n').entries())
      if (/[^\t -~]/.test(line) && !/^\s*(?:\*|\/\*\*|\/\/)/.test(line))
        found.push(`${file}:${number + 1}: ${line.trim()}`);
  }
  expect(found.filter((line) => !line.startsWith(join('cli', 'render', 'look.ts')))).toEqual([]);
});

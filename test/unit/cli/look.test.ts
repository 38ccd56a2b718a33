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

import { expect, test } from 'vitest';
import { visible, visibleText } from '../../../src/cli/render/visible.ts';

test('text keeps its colours, lines and tabs, and no other control character reaches the terminal', () => {
  expect(visibleText('\u001B[31mred\u001B[39m\n\ttab\r\n')).toBe('\u001B[31mred\u001B[39m\n\ttab\r\n');
  expect(visibleText('\u001B[8mhidden', false)).toBe('\\u001b[8mhidden');
  expect(visibleText('a\u001B[2Jb\u001B]0;title\u0007c\rd\u0000\u009B1m\u202Ee\u2066\u0007[31m')).toBe(
    'a\\u001b[2Jb\\u001b]0;title\\u0007c\\rd\\u0000\\u009b1m\\u202ee\\u2066\\u0007[31m',
  );
  expect(visibleText('日本 👩\u200D👧 שלום')).toBe('日本 👩\u200D👧 שלום');
});

test('data is one line', () => {
  expect(visible('a\nb\t\u001B[31m')).toBe('a\\nb\\t\\u001b[31m');
});

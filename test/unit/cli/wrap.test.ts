import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { UNICODE, type Look } from '../../../src/cli/render/look.ts';
import { wrap, wrapHint } from '../../../src/cli/render/wrap.ts';

const paint = new Chalk({ level: 1 });
const at = (width?: number): Look => ({ paint, marks: UNICODE, width });

test('text is broken between words, and its colours have no width', () => {
  expect(wrap('one two three four', 2, at(11))).toBe('one two\n  three\n  four');
  expect(wrap(`${paint.red('one')} two ${paint.red('three')}`, 2, at(9))).toBe(
    `${paint.red('one')} two\n  ${paint.red('three')}`,
  );
});

test('a word that is too long stays whole, and parts of several words stay together', () => {
  expect(wrap('a 20261129180000_long.sql', 1, at(12))).toBe('a\n 20261129180000_long.sql');
  expect(wrap(['1 behind,', '2 failed'], 0, at(12))).toBe('1 behind,\n2 failed');
});

test('line breaks and runs of spaces stay; without a terminal there are no others', () => {
  expect(wrap('one\n  two   three', 2, at(40))).toBe('one\n    two   three');
  expect(wrap('word '.repeat(100), 2, at())).toBe('word '.repeat(100).trim());
});

test('a hint is wrapped between words, but a command, SQL and code stay in one line', () => {
  const command = 'Then run tenantctl migrate tenants --retry-failed 3 again.';
  expect(wrapHint(`Correct the rows first. ${command} It may take long.`, 2, at(20))).toBe(
    `Correct the rows\n  first.\n  ${command}\n  It may take long.`,
  );
  const sql = 'ALTER TABLE notes ADD COLUMN body text;';
  expect(wrapHint(`Run: ${sql}`, 2, at(20))).toBe(`Run:\n  ${sql}`);
  expect(wrapHint('one two three:\n  SELECT 1', 2, at(9))).toBe('one two three:\n    SELECT 1');
});

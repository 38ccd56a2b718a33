import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { scan } from '../../../src/app/scan.ts';

test.each([
  ['SELECT 1', 'SELECT 1', []],
  [`a 'it''s' b`, `a '0' b`, [`it''s`]],
  [`E'\\'' 'x\\' c`, `E'0' '1' c`, [`\\'`, 'x\\']],
  [`"a""'b" c`, `"a""'b" c`, []],
  ['a /* /* b */ c */ d -- e\nf', 'a   d  f', []],
  ["$1 $$ ' $$ $x$ $$ $x$ a$b$c", "$1 '0' '1' a$b$c", [" ' ", ' $$ ']],
  [`'open`, `'0'`, ['open']],
  ['/* open', ' ', []],
])('code and literals of %s', (text, code, literals) => {
  expect(scan(text)).toEqual({ code, literals });
});

test('whatever a literal contains, the code around it is the same', () => {
  assert(
    property(string(), (content) => {
      const quoted = `SELECT '${content.replaceAll("'", "''")}' AS a`;
      expect(scan(quoted).code).toBe(`SELECT '0' AS a`);
      expect(scan(`SELECT ${content.includes('$q$') ? '1' : `$q$${content}$q$`} AS a`).code).toMatch(
        /^SELECT ('0'|1) AS a$/,
      );
      expect(scan(`SELECT /*${content.replaceAll(/[*/]/g, '')}*/ 1`).code).toBe('SELECT   1');
    }),
  );
});

import { expect, test } from 'vitest';
import { unifiedDiff } from '../../../src/core/drift/unified-diff.ts';

const numbers = (...changes: readonly (readonly [at: number, line: string])[]) =>
  Array.from({ length: 20 }, (_, at) => new Map(changes).get(at) ?? `line ${at}`).join('\n');

test('a diff has a hunk for each group of changes, with three lines around it', () => {
  const from = { name: 'old', text: numbers() };
  expect(unifiedDiff(from, from)).toBe('');
  const to = { name: 'new', text: numbers([1, 'first'], [4, 'near'], [18, 'far']) };
  expect(unifiedDiff(from, to).split('\n')).toEqual([
    '--- old',
    '+++ new',
    '@@ -1,8 +1,8 @@',
    ' line 0',
    '-line 1',
    '+first',
    ' line 2',
    ' line 3',
    '-line 4',
    '+near',
    ' line 5',
    ' line 6',
    ' line 7',
    '@@ -16,5 +16,5 @@',
    ' line 15',
    ' line 16',
    ' line 17',
    '-line 18',
    '+far',
    ' line 19',
    '',
  ]);
});

import { expect, test } from 'vitest';
import { conjugated, counted, duration, listed, sumOf } from '../../src/wording.ts';

test('nouns and verbs agree with their number', () => {
  expect([0, 1, 2].map((number) => counted(number, 'tenant'))).toEqual([
    '0 tenants',
    '1 tenant',
    '2 tenants',
  ]);
  expect([1, 2].map((number) => counted(number, 'tenant', 'was'))).toEqual([
    '1 tenant was',
    '2 tenants were',
  ]);
  expect(['is', 'sorts'].map((verb) => conjugated(verb, 2))).toEqual(['are', 'sort']);
});

test('a long list names its first ones and says how many there are more', () => {
  expect(listed(['a', 'b'])).toBe('a, b');
  expect(listed(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  expect(listed(['a\n✔ all migrated'])).toBe('a\\n✔ all migrated');
});

test('a duration has no 60 seconds, and a sum no zeros', () => {
  expect([350, 4_200, 59_700, 119_700, 185_000].map(duration)).toEqual([
    '350 ms',
    '4.2 s',
    '1 min 0 s',
    '2 min 0 s',
    '3 min 5 s',
  ]);
  expect(
    sumOf([
      [3, 'migrated'],
      [0, 'left out'],
      [1, 'failed'],
    ]),
  ).toBe('3 migrated, 1 failed');
});

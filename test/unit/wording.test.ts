import { expect, test } from 'vitest';
import { conjugated, counted, listed } from '../../src/wording.ts';

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
});

import { expect, test } from 'vitest';
import { parsePattern, valueOf } from '../../../src/core/content/mask-pattern.ts';

test.each([
  ['a{digits:2}b', 100n, ['a00b', 'a01b', 'a99b']],
  ['{letters:2}-{digits:1}', 6_760n, ['aa-0', 'aa-1', 'zz-9']],
  ['{hex:2}', 256n, ['00', '01', 'ff']],
])('%s makes %s different values', (text, capacity, values) => {
  const pattern = parsePattern(text);
  if (typeof pattern === 'string') throw new Error(pattern);
  expect(pattern.capacity).toBe(capacity);
  expect([0n, 1n, capacity - 1n].map((number) => valueOf(pattern, number))).toEqual(values);
});

test.each(['plain', '{digits}', '{digits:0}', 'a{', '}', '{digits:99}'])('%s is no pattern', (text) => {
  expect(parsePattern(text)).toEqual(expect.any(String));
});

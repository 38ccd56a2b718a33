import { expect, test } from 'vitest';
import { isFromNode } from '../../../src/db/citus.ts';

test('an error is from a node if its context says so, in whatever line', () => {
  const node = 'while executing command on worker:5432';
  expect(isFromNode(node)).toBe(true);
  expect(isFromNode(`SQL function "f" during inlining\n${node}`)).toBe(true);
  expect(isFromNode('SQL statement "SELECT \'while executing command on \'"')).toBe(false);
  expect(isFromNode(undefined)).toBe(false);
});

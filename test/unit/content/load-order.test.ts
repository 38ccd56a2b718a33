import { expect, test } from 'vitest';
import { loadOrder } from '../../../src/core/content/load-order.ts';

test.each([
  ['those without references keep their order', 'b a', '', 'b a'],
  ['what is referred to comes first', 'a b c d', 'a>c c>b a>b d>a', 'b c a d'],
  ['one that refers to itself is no obstacle', 'a b', 'a>a a>b', 'b a'],
  ['a cycle is cut where it is entered', 'a b c', 'a>b b>c c>a', 'c b a'],
  ['two ways to the same', 'a b c d', 'a>b a>c b>d c>d d>c', 'd c b a'],
])('%s', (_, names, references, order) => {
  const pairs = references.split(' ').flatMap((pair) => {
    const [from, to] = pair.split('>');
    return from === undefined || to === undefined ? [] : [{ from, to }];
  });
  expect(loadOrder(names.split(' '), pairs).join(' ')).toBe(order);
});

test('a long chain needs no deep stack', () => {
  const names = Array.from({ length: 50_000 }, (_, at) => `t${at}`);
  const chain = names.slice(1).map((to, at) => ({ from: `t${at}`, to }));
  expect(loadOrder(names, chain)).toEqual(names.toReversed());
});

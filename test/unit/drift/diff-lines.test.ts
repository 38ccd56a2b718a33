import { expect, test } from 'vitest';
import { diffLines } from '../../../src/core/drift/diff-lines.ts';

const table = (name: string) => [`CREATE TABLE ${name} (`, '  id integer,', '  name text', ');', ''];
const tables = (count: number, prefix = 't') =>
  Array.from({ length: count }, (_, at) => table(prefix + at)).flat();

/** Both texts, put together again. */
const restored = (from: readonly string[], to: readonly string[]) => {
  const lines = diffLines(from, to);
  const side = (sign: number) => lines.filter(([each]) => each !== sign).map(([, line]) => line);
  return [side(-1), side(1)];
};
const changed = (from: readonly string[], to: readonly string[]) =>
  diffLines(from, to).filter(([sign]) => sign !== 0);

test('lines are removed and added so that one text becomes the other, wherever they stand', () => {
  const texts = [
    [],
    ['a'],
    ['a', 'b'],
    ['b', 'a'],
    ['a', 'a', 'b'],
    ['b', 'a', 'c', 'a'],
    tables(3),
    tables(2, 'u'),
  ];
  for (const from of texts) for (const to of texts) expect(restored(from, to)).toEqual([from, to]);
  expect(changed([...tables(2), 'x', ...tables(2, 'u')], [...tables(2), 'y', ...tables(2, 'u')])).toEqual([
    [1, 'x'],
    [-1, 'y'],
  ]);
  expect(changed(tables(3), [...table('t0'), ...table('t2')])).toHaveLength(5);
});

test('thousands of tables that one of them lacks, or that are all different, take no time and memory to speak of', () => {
  const before = process.memoryUsage().arrayBuffers;
  const from = tables(3000);
  const to = from.toSpliced(5 * 1500, 5 * 1000, ...tables(2000, 'extra'));
  // At the edges of a large part, lines that both have count as changed.
  expect(changed(from, to).length - 5 * 3000).toBeLessThan(10);
  expect(changed(from, tables(3000, 'other')).length).toBeGreaterThan(5000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
});

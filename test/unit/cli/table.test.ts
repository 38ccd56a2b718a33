import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { renderTable } from '../../../src/cli/render/table.ts';

const paint = new Chalk({ level: 1 });
const plain = new Chalk({ level: 0 });

test('columns are as wide as their widest cell, whatever the cell is made of', async () => {
  const table = await renderTable(
    ['NAME', 'STATE'],
    [
      ['a', paint.red('failed')],
      ['日本', 'x'],
      ['long name', ''],
    ],
    plain,
  );
  expect(table.split('\n')).toEqual([
    'NAME       STATE',
    `a          ${paint.red('failed')}`,
    '日本       x',
    'long name',
  ]);
});

test('colours take no room where all signs are plain', async () => {
  const table = await renderTable(
    ['NAME', 'STATE'],
    [
      ['a', 'x'],
      ['long', 'y'],
    ],
    paint,
  );
  const head = `${paint.dim('NAME')}  ${paint.dim('STATE')}`;
  expect(table.split('\n')).toEqual([head, 'a     x', 'long  y']);
});

test('a cell of several lines stays in its row', async () => {
  const table = await renderTable(
    [],
    [
      ['a', 'one\n  two\n'],
      ['b', 'three'],
    ],
    plain,
  );
  expect(table).toBe('a  one two\nb  three');
});

test('a table of 500,000 tenants is no work', { timeout: 60_000 }, async () => {
  // A renderer whose time grows with the square of the rows would be at this for an hour.
  const rows = Array.from({ length: 500_000 }, (_, index) => [`org_${index}`, `tid_${index}`, 'ACTIVE']);
  expect((await renderTable([], rows, plain)).split('\n')).toHaveLength(500_000);
});

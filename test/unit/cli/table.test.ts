import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import { ASCII, UNICODE, type Look } from '../../../src/cli/render/look.ts';
import { renderTable } from '../../../src/cli/render/table.ts';

const paint = new Chalk({ level: 1 });
const colored: Look = { paint, marks: UNICODE, width: undefined };
const plain: Look = { ...colored, paint: new Chalk({ level: 0 }) };

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

test('colours have no width', async () => {
  const table = await renderTable(
    ['NAME', 'STATE'],
    [
      ['a', 'x'],
      ['long', 'y'],
    ],
    colored,
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

test('a table of 500,000 tenants takes no time', { timeout: 60_000 }, async () => {
  // A renderer whose time grows with the square of the rows would need an hour.
  const rows = Array.from({ length: 500_000 }, (_, index) => [`org_${index}`, `tid_${index}`, 'ACTIVE']);
  expect((await renderTable([], rows, plain)).split('\n')).toHaveLength(500_000);
});

describe('on a terminal that is too narrow', () => {
  const narrow: Look = { ...plain, width: 40 };
  const row = ['org_1', 'a'.repeat(40), 'the lock was not free within 10 seconds'];

  test('short columns keep their width, and long ones share the rest', async () => {
    expect(await renderTable([], [row], narrow)).toBe('org_1  aaaaaaaaaaaaaaa…  the lock was…');
  });

  test('a table that fits is not cut', async () => {
    expect(await renderTable([], [row], { ...narrow, width: 90 })).toBe(row.join('  '));
    expect(await renderTable([], [row], plain)).toBe(row.join('  '));
  });

  test('a cut cell keeps its colours, and wide characters count twice', async () => {
    const cells = [paint.red('日本語日本語'), 'x'.repeat(8)];
    expect(await renderTable([], [cells], { ...colored, width: 18 })).toBe(
      `${paint.red('日本語…')}   xxxxxxxx`,
    );
  });

  test('without UTF-8 the dots are ASCII', async () => {
    expect(await renderTable([], [['b'.repeat(50)]], { ...narrow, marks: ASCII })).toBe(
      `${'b'.repeat(37)}...`,
    );
  });
});

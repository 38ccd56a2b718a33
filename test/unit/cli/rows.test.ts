import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { UNICODE } from '../../../src/cli/render/look.ts';
import { createRowRenderer, type RowFormat } from '../../../src/cli/render/rows.ts';

const PLAIN = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };

/** What a format makes of the rows of some tenants; columns are of type text. */
async function render(
  format: RowFormat,
  ...tenants: { id: string; columns: string[]; rows: (string | null)[][] }[]
): Promise<string> {
  const renderer = createRowRenderer(format, PLAIN);
  let text = '';
  for (const { id, columns, rows } of tenants)
    text += await renderer.rows({
      tenant: { clerkOrgId: id, schema: 'tid_1' },
      columns: columns.map((name) => ({ name, type: 25 })),
      rows,
    });
  return text + (await renderer.end());
}

const EMPTY = { id: 'org_a', columns: ['a'], rows: [] };

test('CSV tells NULL from an empty string, and quotes what has a meaning in CSV', async () => {
  const text = await render('csv', {
    id: 'org_a',
    columns: ['a', 'a', 'b,c'],
    rows: [
      [null, '', 'x'],
      ['say "hi"', 'two\nlines', ' padded '],
      ['\\.', 'é', '1,5'],
    ],
  });
  expect(text).toBe(
    'organization,a,a,"b,c"\norg_a,,"",x\norg_a,"say ""hi""","two\nlines"," padded "\norg_a,"\\.",é,"1,5"\n',
  );
});

test('CSV has one header, also without rows, and refuses a tenant with other columns', async () => {
  expect(await render('csv', EMPTY, EMPTY)).toBe('organization,a\n');
  await expect(render('csv', EMPTY, { id: 'org_b', columns: ['b'], rows: [['1']] })).rejects.toMatchObject({
    message: 'The columns are b; those of the first tenant are a.',
  });
});

test('JSON lines take other columns from each tenant, and refuse two of one name', async () => {
  const text = await render(
    'jsonl',
    { id: 'org_"a', columns: ['a'], rows: [['x\u2028\n'], [null]] },
    { id: 'org_b', columns: ['b"'], rows: [['1']] },
  );
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { organization: 'org_"a', a: 'x\u2028\n' },
    { organization: 'org_"a', a: null },
    { organization: 'org_b', 'b"': '1' },
  ]);
  for (const columns of [['a', 'a'], ['organization']])
    await expect(render('jsonl', { id: 'org_a', columns, rows: [] })).rejects.toMatchObject({
      message: expect.stringContaining('Two columns are called'),
    });
});

test('the JSON document begins with the rows, whether there are any or not', async () => {
  const one = { id: 'org_a', columns: ['a'], rows: [['1']] };
  for (const tenants of [[], [EMPTY], [one], [one, one]]) {
    const begun = await render('json', ...tenants);
    const { rows } = JSON.parse(`${begun} "ok": true}`) as { rows: unknown[] };
    expect(rows).toHaveLength(tenants.filter((tenant) => tenant === one).length);
  }
});

test('a table has a new head where the columns change, and shows control characters', async () => {
  const text = await render(
    'table',
    { id: 'org_a', columns: ['plan'], rows: [['  ->  Seq Scan'], ['\u001B[2Jx\ty\n\u202E'], [null]] },
    { id: 'org_long', columns: ['plan'], rows: [['日本']] },
    { id: 'org_b', columns: ['other'], rows: [] },
  );
  expect(text).toBe(
    [
      'organization  plan',
      'org_a           ->  Seq Scan',
      'org_a         \\u001b[2Jx\\ty\\n\\u202e',
      'org_a         NULL',
      'org_long      日本',
      '',
      'organization  other',
      '',
    ].join('\n'),
  );
});

test('on a terminal that is too narrow for the table each row is a record, and nothing is cut', async () => {
  const renderer = createRowRenderer('table', { ...PLAIN, width: 24 });
  const tenant = { clerkOrgId: 'org_a', schema: 'tid_1' };
  const rows = [
    ['1', 'a long text'],
    ['2', null],
  ];
  const columns = ['id', 'text'].map((name) => ({ name, type: 25 }));
  expect((await renderer.rows({ tenant, columns, rows })) + (await renderer.end())).toBe(
    [
      'organization  org_a',
      'id            1',
      'text          a long text',
      '',
      'organization  org_a',
      'id            2',
      'text          NULL',
      '',
      '',
    ].join('\n'),
  );
});

test('the first thousand rows of a table decide on the widths; later ones follow at once', async () => {
  const renderer = createRowRenderer('table', PLAIN);
  const tenant = { clerkOrgId: 'org_a', schema: 'tid_1' };
  const columns = [
    { name: 'a', type: 25 },
    { name: 'b', type: 25 },
  ];
  const rowsOf = (value: string) => ({
    tenant,
    columns,
    rows: Array.from({ length: 500 }, () => [value, 'z']),
  });
  expect(await renderer.rows(rowsOf('wide'))).toBe('');
  const first = await renderer.rows(rowsOf('x'));
  expect(first.split('\n')).toHaveLength(1_002);
  expect((await renderer.rows(rowsOf('y'))).split('\n')[0]).toBe('org_a         y     z');
  expect(await renderer.end()).toBe('');
});

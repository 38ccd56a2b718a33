import { expect, test } from 'vitest';
import { parseAdoptions } from '../../../src/core/tenant/adoption/parse-adoptions.ts';

const ACME = { schema: 'acme', clerkOrgId: 'org_a' };

test.each([
  ['CSV', 'clerk_org_id;schema\norg_a;acme\norg_b;"b;c"\n', [2, 3]],
  ['JSON Lines', '{"schema":"acme","org":"org_a"}\n{"schema_name":"b;c","clerk_org_id":"org_b"}\n', [1, 2]],
  ['one object', '{\n  "acme": "org_a",\n  "b;c": "org_b"\n}', [2, 3]],
])('a map has the organization of each schema, with its line: %s', (_, text, [first, second]) => {
  expect(parseAdoptions(text)).toEqual({
    adoptions: [
      { ...ACME, line: first },
      { schema: 'b;c', clerkOrgId: 'org_b', line: second },
    ],
    bad: [],
  });
});

test('two lines for one schema or one organization are both bad, as are lines without either', () => {
  const lines = [
    'schema,org',
    'acme,org_a',
    'acme,org_a',
    'one,org_1',
    'one,org_2',
    'two,org_1',
    'three,',
    ',org_3',
  ];
  const { adoptions, bad } = parseAdoptions(lines.join('\n'));
  expect(adoptions).toEqual([{ ...ACME, line: 2 }]);
  expect(bad.map(({ line, error }) => [line, error.code])).toEqual([
    [4, 'LINE_INVALID'],
    [5, 'LINE_INVALID'],
    [6, 'LINE_INVALID'],
    [7, 'ORGANIZATION_ID_INVALID'],
    [8, 'LINE_INVALID'],
  ]);
  expect(() => parseAdoptions('schema\nacme\n')).toThrow('clerk_org_id is missing');
});

test('a key that one object repeats is ambiguous, and not the last one', () => {
  const text =
    '{\n "one": "org_1",\n "acme": "org_a", "one": "org_2",\n "three": {"one": "x"}, "fo\\"ur": ["{", 4]}';
  const { adoptions, bad } = parseAdoptions(text);
  expect(adoptions).toEqual([{ ...ACME, line: 3 }]);
  expect(bad.map(({ line, schema, error }) => [line, schema, error.code])).toEqual([
    [2, 'one', 'LINE_INVALID'],
    [3, 'one', 'LINE_INVALID'],
    [4, 'three', 'ORGANIZATION_ID_INVALID'],
    [4, 'fo"ur', 'ORGANIZATION_ID_INVALID'],
  ]);
});

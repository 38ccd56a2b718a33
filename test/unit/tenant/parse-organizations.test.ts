import { expect, test } from 'vitest';
import { parseOrganizations } from '../../../src/core/tenant/provision/parse-organizations.ts';

const idsOf = (text: string) =>
  parseOrganizations(text).organizations.map(({ clerkOrgId, line }) => [clerkOrgId, line]);
const badOf = (text: string) => parseOrganizations(text).bad.map(({ line, error }) => [line, error.code]);

test.each([
  ['a column among others', 'name,clerk_org_id\nAcme,org_a\nGlobex,org_b\n'],
  ['a column in other letters', 'Org-ID,name\norg_a,Acme\norg_b,Globex'],
  ['semicolons', 'organization;name\norg_a;"Acme; Inc."\norg_b;'],
  ['tabs', 'name\torg\nAcme\torg_a\nGlobex\torg_b\n'],
  ['CRLF', 'clerk_org_id\r\norg_a\r\norg_b\r\n'],
  ['quotes', '"clerk_org_id"\n"org_a"\n "org_b" \n'],
  ['JSON Lines', '{"name":"","clerk_org_id":"org_a"}\n{"name":"?"}\n{"clerkOrgId":"org_b"}\r\n'],
])('a list has each organization, with its line: %s', (_, text) => {
  const isJson = text.startsWith('{');
  expect(idsOf(text)).toEqual([
    ['org_a', isJson ? 1 : 2],
    ['org_b', 3],
  ]);
  expect(badOf(text)).toEqual(isJson ? [[2, 'LINE_INVALID']] : []);
});

test('without a header, a single column has organizations; empty lines and repetitions are passed over', () => {
  const list = parseOrganizations('\norg_a\n\n"org, b"\norg_a\n  \norg_c');
  expect(list.organizations).toEqual([
    { clerkOrgId: 'org_a', line: 2 },
    { clerkOrgId: 'org, b', line: 4 },
    { clerkOrgId: 'org_c', line: 7 },
  ]);
  expect(list).toMatchObject({ bad: [], repeated: 1 });
  expect(parseOrganizations('')).toEqual({ organizations: [], bad: [], repeated: 0 });
});

test('each bad line is named with its reason, and the others are read', () => {
  const long = 'x'.repeat(256);
  expect(badOf(`id,org\n1,\n2,org_a,\n3,org_b\n4,"a\tb"\n5,"two\nlines"\n7,${long}\n8\n`)).toEqual([
    [2, 'ORGANIZATION_ID_INVALID'],
    [3, 'LINE_INVALID'],
    [5, 'ORGANIZATION_ID_INVALID'],
    [6, 'ORGANIZATION_ID_INVALID'],
    [8, 'ORGANIZATION_ID_INVALID'],
    [9, 'LINE_INVALID'],
  ]);
  expect(badOf('{"org":"a"}\n{"org":\n{"org":null}\n"org_c"\n{"org":7}\n')).toEqual([
    [2, 'LINE_INVALID'],
    [3, 'LINE_INVALID'],
    [4, 'LINE_INVALID'],
  ]);
});

test.each([
  ['name,plan\nAcme,free\n', 'clerk_org_id is missing'],
  ['org\n"org_a\norg_b\n', 'line 2 or later'],
  ['[{"org":"org_a"}]', 'one JSON array'],
])('a text that is no list is refused as a whole: %j', (text, reason) => {
  expect(() => parseOrganizations(text)).toThrow(expect.objectContaining({ code: 'FILE_UNUSABLE' }));
  expect(() => parseOrganizations(text)).toThrow(reason);
});

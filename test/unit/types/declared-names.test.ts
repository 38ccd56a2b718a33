import { expect, test } from 'vitest';
import { declaredNames } from '../../../src/core/types/declared-names.ts';

test.for([
  ['org_users', 'OrgUsers'],
  ['orgUsers', 'OrgUsers'],
  ['2fa codes', '_2faCodes'],
  ['straße', 'Straße'],
  ['a"b', 'AB'],
  ['*', '_'],
] as const)('%s is %s', ([name, declared]) => {
  expect(declaredNames([{ schema: 'x', name }], [], () => 'tenant')({ schema: 'x', name })).toBe(declared);
});

test('a name that is taken gets its schema in front, then a number behind', () => {
  const all = ['user_role', 'user-role', 'user role', 'date'].map((name) => ({ schema: 'x', name }));
  const nameOf = declaredNames(all, ['Date'], () => 'tenant');
  expect(all.map(nameOf)).toEqual(['UserRole', 'TenantUserRole', 'TenantUserRole2', 'TenantDate']);
});

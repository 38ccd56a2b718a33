import { expect, test } from 'vitest';
import { dryRunResult } from '../../../src/cli/run/results.ts';
import type { Context } from '../../../src/cli/run/context.ts';
import { TenantctlError } from '../../../src/errors.ts';

const { output } = { output: { warn() {}, verbose: false } } as unknown as Pick<Context, 'output'>;
const error = new TenantctlError('MIGRATION_FAILED', 'column "x" does not exist');
const named = (clerkOrgId: string) => ({ clerkOrgId, schema: clerkOrgId });

function errorOf(plans: Parameters<typeof dryRunResult>[1]['plans']): string | undefined {
  const rehearsal = { plans, upToDate: 4, problems: [], warnings: [] };
  return dryRunResult({ output } as Context, rehearsal).error?.message;
}

function plan(scope: 'master' | 'tenants', names: readonly string[], failure?: TenantctlError) {
  const migrations = [{ name: '1_x.sql', transaction: true, statements: [], error: failure }];
  return { scope, targets: names.map(named), shownOn: names[0] ?? '', migrations };
}

test('a dry run counts the tenants that would fail, each of a plan, among all that it looked at', () => {
  const tenants = [plan('tenants', ['a', 'b', 'c'], error), plan('tenants', ['d'])];
  expect(errorOf(tenants)).toBe('3 of 8 tenants would fail.');
  expect(errorOf([plan('tenants', ['a'], error)])).toBe(error.message);
  expect(errorOf([plan('master', ['public'], error), ...tenants])).toBe(error.message);
  expect(errorOf([plan('tenants', ['d'])])).toBeUndefined();
});

import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { UNICODE } from '../../../src/cli/render/look.ts';
import { renderProvision } from '../../../src/cli/render/provision.ts';
import type { ProvisionResult } from '../../../src/core/tenant/provision/provision-result.ts';

const plain = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };

function results(count: number, more: Partial<ProvisionResult> = {}): ProvisionResult[] {
  return Array.from({ length: count }, (_, nth) => ({
    clerkOrgId: `org_${nth}`,
    schema: `tid_${nth}`,
    outcome: 'provisioned',
    applied: ['1_a.sql', '2_b.sql'],
    durationMs: 5,
    ...more,
  }));
}

test('a few tenants are listed, many are grouped, and the totals add up', () => {
  const one = { wanted: 1, verbose: false };
  expect(renderProvision(results(1), one, plain)).toBe('✔ org_0 is ACTIVE in tid_0 (2 migrations, 5 ms)');
  expect(renderProvision(results(2), { wanted: 2, verbose: false }, plain).split('\n')).toEqual([
    '✔ org_0 is ACTIVE in tid_0 (2 migrations, 5 ms)',
    '✔ org_1 is ACTIVE in tid_1 (2 migrations, 5 ms)',
    '✔ 2 organizations: 2 provisioned',
  ]);
  const many = [
    ...results(1_000),
    ...results(3, { outcome: 'provisioned-behind', behind: ['3_c.sql'] }),
    ...results(2, { outcome: 'already-active', applied: [] }),
    ...results(4, { outcome: 'failed' }),
  ];
  expect(renderProvision(many, { wanted: 1_009, verbose: false }, plain).split('\n')).toEqual([
    '✔ 1000 tenants are ACTIVE (2 migrations): org_0, org_1, org_2, org_3, org_4 and 995 more',
    '! 3 tenants are ACTIVE (2 migrations), 1 migration behind the fleet: org_0, org_1, org_2',
    '✔ 2 tenants are already ACTIVE; nothing was changed: org_0, org_1',
    '✖ 1009 organizations: 1000 provisioned, 3 provisioned behind the fleet, 2 already ACTIVE, 4 failed',
  ]);
  expect(renderProvision(many, { wanted: 1_009, verbose: true }, plain).split('\n')).toHaveLength(1_006);
});

test('an interrupted provisioning has no green mark', () => {
  expect(renderProvision(results(2), { wanted: 5, verbose: false }, plain).split('\n').at(-1)).toBe(
    '! Interrupted. 5 organizations: 2 provisioned, 3 not started',
  );
});

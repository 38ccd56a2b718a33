import { expect, test } from 'vitest';
import { classOf, type ClassFacts } from '../../../src/core/fleet/class-of.ts';
import { planForward } from '../../../src/core/plan/plan.ts';
import type { MigrationFolder } from '../../../src/core/files/source.ts';
import { countClasses, type TenantClass } from '../../../src/core/report/class-counts.ts';

const FOLDER: MigrationFolder = {
  directory: 'migrations/tenants',
  files: ['1_a', '2_b', '3_c'].map((stem) => ({
    stem,
    name: `${stem}.ts`,
    path: `/m/${stem}.ts`,
    kind: 'ts',
  })),
} as unknown as MigrationFolder;

/** What would be done to a tenant that has applied these. */
function planAfter(...names: string[]): ClassFacts['plan'] {
  return planForward(FOLDER, { entries: names.map((name) => ({ name, batch: 1 })), lockedByKnex: false });
}

const PLANS = {
  'nothing due': planAfter('1_a.ts', '2_b.ts', '3_c.ts'),
  'the same under other extensions': planAfter('1_a.js', '2_b.js', '3_c.js'),
  'one due': planAfter('1_a.ts', '2_b.ts'),
  'a late file': planAfter('1_a.ts', '3_c.ts'),
  'a newer history': planAfter('1_a.ts', '2_b.ts', '3_c.ts', '4_d.ts'),
  'a file removed': planAfter('1_a.ts', '1_gone.ts', '2_b.ts', '3_c.ts'),
};

function classWith(facts: Partial<ClassFacts>): TenantClass {
  return classOf({
    status: 'ACTIVE',
    namesSchema: true,
    hasSchema: true,
    isInterrupted: false,
    isUnfinished: false,
    isAmbiguous: false,
    hasFailed: false,
    plan: PLANS['nothing due'],
    ...facts,
  });
}

test.each([
  [
    'ARCHIVED, its schema gone and its last run failed',
    { status: 'ARCHIVED', hasSchema: false, hasFailed: true },
    'notActive',
  ],
  [
    'ARCHIVED, its row without a schema name',
    { status: 'ARCHIVED', namesSchema: false, hasSchema: false },
    'notActive',
  ],
  [
    'waiting for its provisioning',
    { status: 'PROVISIONING', namesSchema: false, hasSchema: false },
    'notActive',
  ],
  ['without a status and a schema', { status: '', namesSchema: false, hasSchema: false }, 'notActive'],
  ['SUSPENDED and behind', { status: 'SUSPENDED', plan: PLANS['one due'] }, 'notActive'],
  [
    'SUSPENDED, its row without a schema name',
    { status: 'SUSPENDED', namesSchema: false, hasSchema: false },
    'broken',
  ],
  ['PROVISIONING, before its schema is there', { status: 'PROVISIONING', hasSchema: false }, 'notActive'],
  ['in a status that tenantctl does not know', { status: 'trial', plan: PLANS['a late file'] }, 'notActive'],
  ['ACTIVE without a schema', { hasSchema: false, plan: PLANS['one due'] }, 'broken'],
  ['renamed twice and failed', { isAmbiguous: true, hasFailed: true }, 'broken'],
  ['interrupted and failed', { isInterrupted: true, hasFailed: true }, 'broken'],
  ['with a newer history', { plan: PLANS['a newer history'], hasFailed: true }, 'broken'],
  ['with a file removed', { plan: PLANS['a file removed'] }, 'broken'],
  ['SUSPENDED by a drop that was killed', { status: 'SUSPENDED', isUnfinished: true }, 'broken'],
  ['PROVISIONING by a restore that was killed', { status: 'PROVISIONING', isUnfinished: true }, 'broken'],
  ['FAILED, interrupted', { status: 'FAILED', isInterrupted: true }, 'broken'],
  [
    'FAILED without a schema, as a failed provisioning leaves it',
    { status: 'FAILED', hasSchema: false },
    'failed',
  ],
  ['FAILED with nothing due', { status: 'FAILED' }, 'failed'],
  ['with a late file, before any attempt', { plan: PLANS['a late file'] }, 'failed'],
  ['with a late file, after an attempt', { plan: PLANS['a late file'], hasFailed: true }, 'failed'],
  ['behind after a failure', { plan: PLANS['one due'], hasFailed: true }, 'failed'],
  ['up to date and refused by a check', { hasFailed: true }, 'failed'],
  ['behind', { plan: PLANS['one due'] }, 'behind'],
  ['up to date', {}, 'upToDate'],
  ['up to date under other extensions', { plan: PLANS['the same under other extensions'] }, 'upToDate'],
] as const)('a tenant that is %s', (_name, facts, expected) => {
  expect(classWith(facts)).toBe(expected);
});

test('whatever the facts, the class is one of five, and the counts add up to the total', () => {
  const bools = [true, false];
  const tenants = ['ACTIVE', 'FAILED', 'PROVISIONING', 'SUSPENDED', 'ARCHIVED', '', 'trial'].flatMap(
    (status) =>
      bools.flatMap((namesSchema) =>
        bools.flatMap((hasSchema) =>
          bools.flatMap((isInterrupted) =>
            bools.flatMap((hasFailed) =>
              Object.values(PLANS).map((plan) => ({
                class: classWith({ status, namesSchema, hasSchema, isInterrupted, hasFailed, plan }),
                count: 3,
              })),
            ),
          ),
        ),
      ),
  );
  const { total, upToDate, behind, failed, notActive, broken, ...rest } = countClasses(tenants);
  expect(rest).toEqual({});
  expect(total).toBe(tenants.length * 3);
  expect(upToDate + behind + failed + notActive + broken).toBe(total);
});

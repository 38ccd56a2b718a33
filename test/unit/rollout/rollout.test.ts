import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFailureLimit, stopReason } from '../../../src/core/rollout/failure-limit.ts';
import { cutRollout } from '../../../src/core/rollout/cut-rollout.ts';
import { atMost, tenantsIn, type Share } from '../../../src/core/rollout/options.ts';
import { withoutUndone } from '../../../src/core/rollout/take-back.ts';
import { objections } from '../../../src/core/rollout/tenant-check.ts';
import { TenantctlError } from '../../../src/errors.ts';

const share = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ percent: fc.integer({ min: 1, max: 1_000 }).map((tenths) => tenths / 10) }),
) as fc.Arbitrary<Share>;

const fleet = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 300 })
  .map((schemas) => schemas.map((schema) => ({ tenant: { schema } })));

describe('a share of tenants', () => {
  test.for([
    [{ percent: 10 }, 25, 3, 2],
    [{ percent: 0.7 }, 3_000, 21, 21],
    [{ percent: 1 }, 10, 1, 0],
    [{ percent: 100 }, 7, 7, 7],
    [{ count: 5 }, 3, 3, 5],
  ] as const)('%j of %i is %i rounded up, and at most %i may be', ([of, total, up, down]) => {
    expect([tenantsIn(of, total), atMost(of, total)]).toEqual([up, down]);
  });

  test('rounded up it is at least one tenant where there is any, and never more than all', () => {
    fc.assert(
      fc.property(share, fc.integer({ min: 1, max: 50_000 }), (of, total) => {
        const number = tenantsIn(of, total);
        expect(number).toBeGreaterThanOrEqual(1);
        expect(number).toBeLessThanOrEqual(total);
        expect(Number.isInteger(number)).toBe(true);
      }),
    );
  });
});

describe('canaries and waves', () => {
  test('hold every tenant exactly once, the waves in the order of the fleet and of the size asked for', () => {
    fc.assert(
      fc.property(
        fleet,
        fc.option(share, { nil: undefined }),
        fc.option(share, { nil: undefined }),
        (dues, canary, wave) => {
          const { canaries, waves } = cutRollout(dues, canary, wave);
          const rest = waves.flat();
          expect(new Set([...canaries, ...rest])).toEqual(new Set(dues));
          expect(canaries.length + rest.length).toBe(dues.length);
          expect(canaries).toHaveLength(canary === undefined ? 0 : tenantsIn(canary, dues.length));
          expect(rest).toEqual(dues.filter((due) => !canaries.includes(due)));
          const size = wave === undefined ? rest.length : tenantsIn(wave, dues.length);
          for (const each of waves.slice(0, -1)) expect(each).toHaveLength(size);
          expect(waves.at(-1)?.length ?? 0).toBeLessThanOrEqual(size);
          expect(waves.every((each) => each.length > 0)).toBe(true);
        },
      ),
    );
  });

  test('canaries depend on the names alone: not on the order, and fewer are some of more', () => {
    fc.assert(
      fc.property(fleet, fc.nat({ max: 300 }), fc.nat({ max: 300 }), (dues, one, other) => {
        const [fewer, more] = [Math.min(one, other) + 1, Math.max(one, other) + 1];
        const canariesOf = (count: number, of: typeof dues) =>
          cutRollout(of, { count }).canaries.map(({ tenant }) => tenant.schema);
        const some = canariesOf(fewer, dues);
        expect(canariesOf(fewer, dues.toReversed())).toEqual(some);
        expect(canariesOf(more, dues).slice(0, some.length)).toEqual(some);
      }),
    );
  });

  test('canaries that are named go first, and no others', () => {
    const dues = ['a', 'b', 'c', 'd'].map((schema) => ({ tenant: { schema } }));
    const { canaries, waves } = cutRollout(dues, new Set(['c', 'x']), { count: 2 });
    expect(canaries).toEqual([dues[2]]);
    expect(waves).toEqual([[dues[0], dues[1]], [dues[3]]]);
  });
});

describe('the failure limit', () => {
  test.for([
    [{}, 5, 0],
    [{ maxFailures: { count: 9 } }, 5, 0],
    [{ maxFailures: { percent: 100 } }, 5, 0],
    [{ maxCanaryFailures: { count: 2 } }, 5, 2],
    [{ maxCanaryFailures: { percent: 20 } }, 10, 2],
    [{ maxCanaryFailures: { percent: 5 } }, 10, 0],
    [{ maxCanaryFailures: { count: 3 }, maxFailures: { count: 1 } }, 5, 1],
  ] as const)('with %j, of %i canaries %i may fail', ([limits, canaries, may]) => {
    const failureLimit = createFailureLimit(limits);
    failureLimit.expect(100, 0);
    failureLimit.beginCanaries(canaries, 0);
    for (let failed = 0; failed < may; failed += 1) failureLimit.failed();
    expect(failureLimit.isOpen).toBe(false);
    failureLimit.failed();
    expect(failureLimit.isOpen).toBe(true);
  });

  test('any number of tenants may fail where there is no limit', () => {
    const failureLimit = createFailureLimit({});
    failureLimit.expect(0, 1_000);
    expect(failureLimit.isOpen).toBe(false);
  });

  test('opens with the first failure beyond the limit, neither sooner nor later', () => {
    fc.assert(
      fc.property(share, fc.integer({ min: 1, max: 400 }), fc.nat({ max: 500 }), (limit, due, failures) => {
        const failureLimit = createFailureLimit({ maxFailures: limit });
        failureLimit.expect(due, 0);
        for (let failed = 1; failed <= failures; failed += 1) {
          expect(failureLimit.wouldOpen(1)).toBe(failed > atMost(limit, due));
          failureLimit.failed();
          expect(failureLimit.isOpen).toBe(failed > atMost(limit, due));
        }
        expect(failureLimit.wouldOpen(0)).toBe(failureLimit.isOpen);
      }),
    );
  });

  test('counts canaries by themselves while they are at work, and not afterwards', () => {
    const failureLimit = createFailureLimit({
      maxCanaryFailures: { percent: 10 },
      maxFailures: { percent: 10 },
    });
    failureLimit.expect(100, 0);
    failureLimit.beginCanaries(20, 0);
    for (let failed = 0; failed < 2; failed += 1) failureLimit.failed();
    expect(failureLimit.isOpen).toBe(false);
    failureLimit.endCanaries();
    for (let failed = 2; failed < 10; failed += 1) failureLimit.failed();
    expect(failureLimit.isOpen).toBe(false);
    failureLimit.failed();
    const stop = { among: 'tenants', failed: 11, allowed: 10, limit: { percent: 10 }, of: 100 } as const;
    expect(failureLimit.stop).toEqual(stop);
    expect(stopReason(stop)).toBe('11 of 100 tenants failed (limit: 10 failures, 10 % of 100)');
  });

  test('one failed canary opens it where no limit was given, and it stays open', () => {
    const failureLimit = createFailureLimit({});
    failureLimit.expect(100, 3);
    failureLimit.beginCanaries(1, 0);
    expect(failureLimit.isOpen).toBe(false);
    failureLimit.failed();
    failureLimit.endCanaries();
    expect(failureLimit.isOpen).toBe(true);
    const stop = { among: 'canaries', failed: 1, allowed: 0, limit: { count: 0 }, of: 1 } as const;
    expect(stopReason(stop)).toBe('1 of 1 canary failed (limit: 0 failures)');
  });

  test('tenants that cannot be helped count as failed before the first is begun', () => {
    const failureLimit = createFailureLimit({ maxFailures: { count: 0 } });
    failureLimit.expect(10, 1);
    expect(failureLimit.isOpen).toBe(true);
  });
});

describe('the answer to a check', () => {
  const boolean = { dataTypeID: 16 };
  const integer = { dataTypeID: 23 };

  test.for([
    ['no rows', [], [integer, integer]],
    ['true', [{ ok: true }], [boolean]],
  ] as const)('%s is as it should be', ([, rows, fields]) => {
    expect(objections(rows, fields)).toBeUndefined();
  });

  test.for([
    ['false', [{ ok: false }], [boolean]],
    ['NULL', [{ ok: null }], [boolean]],
    ['1', [{ ok: 1 }], [integer]],
    ['true twice', [{ ok: true }, { ok: true }], [boolean]],
    ['true and something else', [{ ok: true, id: 1 }], [boolean, integer]],
  ] as const)('%s is not', ([, rows, fields]) => {
    expect(objections(rows, fields)).toEqual(rows.map((row) => JSON.stringify(row)));
  });

  test('of many and long rows, the first five are shown, shortened', () => {
    const rows = Array.from({ length: 6 }, () => ({ note: 'x'.repeat(1_000) }));
    const found = objections(rows, [{ dataTypeID: 25 }]);
    expect(found).toHaveLength(6);
    expect(found?.[0]).toHaveLength(200);
    expect(found?.at(-1)).toBe('... and more rows');
  });
});

describe('the result of a tenant whose migrations were undone', () => {
  const migrated = {
    clerkOrgId: 'a',
    schema: 's',
    outcome: 'migrated',
    names: ['1', '2'],
    batch: 1,
    durationMs: 1,
  } as const;
  const error = new TenantctlError('CHECK_REFUSED', 'no');

  test('names what was undone, and a failure stays one', () => {
    const undone = { ...migrated, outcome: 'rolled-back', names: ['2', '1'] } as const;
    expect(withoutUndone(migrated, undone)).toMatchObject({
      outcome: 'rolled-back',
      names: [],
      reverted: ['2', '1'],
    });
    expect(withoutUndone({ ...migrated, outcome: 'failed', error }, undone)).toMatchObject({
      outcome: 'failed',
      error,
      names: [],
      reverted: ['2', '1'],
    });
  });

  test('keeps what could not be undone, with the reason', () => {
    const half = { ...migrated, outcome: 'failed', names: ['2'], error } as const;
    expect(withoutUndone(migrated, half)).toMatchObject({
      outcome: 'failed',
      names: ['1'],
      reverted: ['2'],
      error,
    });
  });

  test('is what it was where nobody came to it', () => {
    const skipped = { ...migrated, outcome: 'skipped', names: [] } as const;
    expect(withoutUndone(migrated, skipped)).toEqual(migrated);
    expect(withoutUndone(migrated, undefined)).toBe(migrated);
  });
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  connectionsBesideReserve,
  createAutoConcurrency,
  failedOnLock,
} from '../../../src/core/run/auto-concurrency.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { chance, cores, simulate, type Simulation } from './simulated-server.ts';

/** Tenants that would take 20 ms alone. */
const usual = { work: () => 20, untilMs: 120_000 };

test.for([
  [5, [2, 4, 8, 5, 6, 5]],
  [12, [2, 4, 8, 16, 10, 12, 15, 12]],
] as const)(
  'it starts with two, doubles while that pays, and goes on by steps of a quarter, at least one (%i)',
  ([most, steps]) => {
    const { limits } = simulate({ ...usual, speed: cores(most) });
    expect(limits.slice(0, steps.length).map(({ limit }) => limit)).toEqual(steps);
  },
);

test.for([2, 3, 4, 6, 8, 12])(
  'where %i at work is all that the server has use for, it stays there',
  (most) => {
    const course = simulate({ ...usual, speed: cores(most) });
    const step = Math.max(1, Math.floor(most / 4));

    expect(course.mean(15_000, 120_000)).toBeCloseTo(most, 0);
    for (const { limit } of course.limits.filter(({ at }) => at > 15_000)) {
      expect(limit).toBeGreaterThanOrEqual(most - step);
      expect(limit).toBeLessThanOrEqual(most + step);
    }
    expect(course.ended).toBeGreaterThan(0.93 * most * (120_000 / 20));
  },
);

test.for([1, 2, 3])('it finds the place also where tenants differ as by chance (%i)', (seed) => {
  const random = chance(seed);
  const course = simulate({ speed: cores(6), work: () => -20 * Math.log(1 - random()), untilMs: 300_000 });

  expect(course.mean(30_000, 300_000)).toBeGreaterThan(5.3);
  expect(course.mean(30_000, 300_000)).toBeLessThan(6.7);
});

test('throughput that always grows takes it to the ceiling, and no further', () => {
  const course = simulate({ ...usual, speed: cores(100), ceiling: 11 });
  expect(course.limits.slice(0, 4).map(({ limit }) => limit)).toEqual([2, 4, 8, 11]);
  expect(Math.max(...course.limits.map(({ limit }) => limit))).toBe(11);
  expect(course.mean(10_000, 120_000)).toBeGreaterThan(10);
});

test('a server that does less the more it is given is served one at a time', () => {
  const course = simulate({ ...usual, speed: (atWork) => 1 / atWork });
  expect(course.mean(20_000, 120_000)).toBeLessThan(1.2);
});

test('a server that becomes busier in the middle is followed down, and up again', () => {
  const course = simulate({
    work: () => 20,
    untilMs: 360_000,
    speed: (atWork, ms) => Math.min(atWork, ms > 120_000 && ms < 240_000 ? 2 : 8),
  });
  expect(course.mean(60_000, 120_000)).toBeGreaterThan(7);
  expect(course.mean(180_000, 240_000)).toBeLessThan(2.5);
  expect(course.mean(300_000, 360_000)).toBeGreaterThan(7);
});

test('lock waits halve it at once, down to one, and it comes back when they have stopped', () => {
  const course = simulate({
    ...usual,
    speed: cores(8),
    lockWait: (_, ms) => ms > 30_000 && ms < 40_000,
  });
  const during = course.limits.filter(({ at }) => at > 30_000 && at < 40_000);

  expect(during.map(({ limit }) => limit)).toEqual(
    [course.limitAt(30_000)].flatMap((limit) =>
      [limit >> 1, limit >> 2, limit >> 3].filter((each) => each > 0),
    ),
  );
  expect(during.at(-1)?.at).toBeLessThan(30_500);
  expect(course.mean(31_000, 47_900)).toBe(1);
  expect(course.limitAt(60_000)).toBeGreaterThanOrEqual(6);
});

test('tenants that were begun before a halving and fail on a lock do not halve it again', () => {
  let ms = 0;
  const control = createAutoConcurrency({ ceiling: 16, now: () => ms });
  while (control.limit < 16) {
    const ends = Array.from({ length: control.limit }, () => control.begin());
    ms += 50;
    for (const end of ends) end({ lockWait: false });
  }
  for (const end of Array.from({ length: 16 }, () => control.begin())) end({ lockWait: true });
  expect(control.limit).toBe(8);
});

test('lock waits of few tenants among many change nothing', () => {
  let tenant = 0;
  const course = simulate({ ...usual, speed: cores(4), lockWait: () => (tenant += 1) % 40 === 0 });
  expect(course.mean(20_000, 120_000)).toBeCloseTo(4, 0);
});

test('where free connections run short it goes down to them at once, and grows again when there are more', () => {
  const course = simulate({
    ...usual,
    speed: cores(12),
    free: [
      { at: 0, connections: 80 },
      { at: 30_000, connections: 3 },
      { at: 60_000, connections: 80 },
    ],
  });
  expect(course.limitAt(29_999)).toBeGreaterThanOrEqual(9);
  expect(course.limitAt(30_000)).toBe(3);
  expect(
    Math.max(...course.limits.filter(({ at }) => at > 30_000 && at < 60_000).map(({ limit }) => limit)),
  ).toBe(3);
  expect(course.limitAt(85_000)).toBeGreaterThanOrEqual(9);
});

test('the way back from a step down goes no further than the free connections', () => {
  const course = simulate({
    ...usual,
    speed: cores(100),
    ceiling: 8,
    free: [{ at: 5_500, connections: 7 }],
  });
  expect(course.limits.slice(0, 5).map(({ limit }) => limit)).toEqual([2, 4, 8, 6, 7]);
  expect(course.limits[3]?.at).toBeLessThan(5_500);
  expect(course.limits[4]?.at).toBeGreaterThan(5_500);
});

test('a refused connection leaves one tenant at work', () => {
  const control = createAutoConcurrency({ ceiling: 16, now: () => 0 });
  control.free(0);
  expect(control.limit).toBe(1);
});

test('tenants that take ten seconds are measured in minutes, and not judged by a few', () => {
  const course = simulate({ speed: cores(4), work: () => 10_000, untilMs: 3_600_000 });
  expect(course.limits.slice(0, 5)).toEqual([
    { at: 0, limit: 2 },
    { at: 30_000, limit: 4 },
    { at: 60_000, limit: 8 },
    { at: 120_000, limit: 5 },
    { at: 182_500, limit: 4 },
  ]);
  expect(course.mean(600_000, 3_600_000)).toBeCloseTo(4, 0);
});

test('tenants that take a millisecond are measured over thousands, and the number does not flutter', () => {
  const course = simulate({ speed: cores(4), work: () => 1, untilMs: 60_000 });
  expect(course.mean(5_000, 60_000)).toBeCloseTo(4, 0);
  const intervals = course.limits.slice(1).map(({ at }, index) => at - (course.limits[index]?.at ?? 0));
  expect(Math.min(...intervals)).toBeGreaterThanOrEqual(250);
  expect(course.limits.length).toBeLessThan(30);
});

test('the same course follows from the same events', () => {
  const run = () => {
    const random = chance(7);
    const simulation: Simulation = {
      speed: cores(6),
      work: () => 5 + 30 * random(),
      lockWait: (atWork) => atWork > 10 && random() < 0.2,
      untilMs: 60_000,
    };
    return simulate(simulation).limits;
  };
  expect(run()).toEqual(run());
});

test('whatever happens, it is from 1 to the ceiling and never more than the free connections', () => {
  const event = fc.oneof(
    { weight: 10, arbitrary: fc.record({ type: fc.constant('ended'), lockWait: fc.boolean() }) },
    { weight: 30, arbitrary: fc.record({ type: fc.constant('ended'), lockWait: fc.constant(false) }) },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant('free'), connections: fc.integer({ min: -5, max: 40 }) }),
    },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), event), { maxLength: 300, size: 'max' }),
      (ceiling, events) => {
        let ms = 0;
        let allowed = ceiling;
        const control = createAutoConcurrency({ ceiling, now: () => ms });
        const atWork = [control.begin()];
        for (const [after, happens] of events) {
          ms += after;
          if ('connections' in happens) {
            allowed = Math.max(1, Math.min(ceiling, happens.connections));
            control.free(happens.connections);
          } else {
            atWork.shift()?.({ lockWait: happens.lockWait });
          }
          while (atWork.length < control.limit) atWork.push(control.begin());
          expect(control.limit).toBeGreaterThanOrEqual(1);
          expect(control.limit).toBeLessThanOrEqual(allowed);
          expect(Number.isInteger(control.limit)).toBe(true);
        }
      },
    ),
  );
});

test('some connections are left to the application: a tenth of the usable ones, at least three', () => {
  expect(connectionsBesideReserve({ usable: 97, free: 97 })).toBe(87);
  expect(connectionsBesideReserve({ usable: 20, free: 20 })).toBe(17);
  expect(connectionsBesideReserve({ usable: 500, free: 60 })).toBe(10);
  expect(connectionsBesideReserve({ usable: 97, free: 6 })).toBe(1);
  expect(connectionsBesideReserve({ usable: 97, free: -4 })).toBe(1);
});

test('a lock timeout and a deadlock count as failures on a lock, and nothing else', () => {
  const failed = (sqlstate?: string) =>
    failedOnLock(new TenantctlError('MIGRATION_FAILED', 'x', { sqlstate }));
  expect(['55P03', '40P01', '42P01', undefined].map(failed)).toEqual([true, true, false, false]);
  expect(failedOnLock(undefined)).toBe(false);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAutoConcurrency } from '../../../src/core/run/auto-concurrency.ts';

/** A server with so many cores: a tenant alone takes 20 ms. @returns the limit after each change of it */
function limitsOn(
  cores: number,
  untilMs: number,
  ceiling = 16,
  lockTimeoutsAt = [Infinity, Infinity],
): number[] {
  let ms = 0;
  const control = createAutoConcurrency(ceiling, () => ms);
  const limits = [control.limit];
  let atWork: ReturnType<typeof control.begin>[] = [];
  while (ms < untilMs) {
    while (atWork.length < control.limit) atWork.push(control.begin());
    ms += (20 * Math.max(1, atWork.length / cores)) / atWork.length;
    const [from = 0, to = 0] = lockTimeoutsAt;
    atWork.shift()?.({ lockTimeout: ms >= from && ms < to });
    // Tenants beyond the limit finish without a successor.
    if (atWork.length > control.limit) atWork = atWork.slice(-control.limit);
    if (limits.at(-1) !== control.limit) limits.push(control.limit);
  }
  return limits;
}

test('it starts with two, doubles while that pays, and takes back the step that did not', () => {
  expect(limitsOn(8, 4_000)).toEqual([2, 4, 8, 16, 8]);
  expect(limitsOn(100, 4_000, 11)).toEqual([2, 4, 8, 11]);
});

test.for([2, 4, 8])('where %i at work use the whole server, it tries one more now and then', (cores) => {
  const limits = limitsOn(cores, 60_000).slice(-4);
  expect(limits.toSorted((a, b) => a - b)).toEqual([cores, cores, cores + 1, cores + 1]);
});

test('lock timeouts halve it, down to one, and it grows by one at a time when they have stopped', () => {
  const limits = limitsOn(8, 40_000, 8, [5_000, 7_000]);
  expect(limits.slice(0, 10)).toEqual([2, 4, 8, 4, 2, 1, 2, 3, 4, 5]);
});

test('few lock timeouts among many tenants change nothing', () => {
  let ms = 0;
  const control = createAutoConcurrency(2, () => ms);
  for (let tenant = 1; tenant <= 1_000; tenant += 1) {
    ms += 10;
    control.begin()({ lockTimeout: tenant % 40 === 0 });
  }
  expect(control.limit).toBe(2);
});

/** A control that has grown to 16. */
function grown() {
  let ms = 0;
  const control = createAutoConcurrency(16, () => ms);
  while (control.limit < 16) {
    const ends = Array.from({ length: 4 * control.limit }, () => control.begin());
    ms += 500;
    for (const end of ends) end({ lockTimeout: false });
  }
  return control;
}

test('a tenant that was begun before a halving does not halve again', () => {
  const control = grown();
  const ends = Array.from({ length: 16 }, () => control.begin());
  for (const end of ends) end({ lockTimeout: true });
  expect(control.limit).toBe(8);
});

test('where free connections run short it goes down at once, and at least one tenant stays at work', () => {
  const control = grown();
  control.free(3);
  expect(control.limit).toBe(3);
  control.free(0);
  expect(control.limit).toBe(1);
});

test('whatever happens, it is from 1 to the ceiling and never more than the free connections', () => {
  const event = fc.oneof(
    { weight: 40, arbitrary: fc.record({ lockTimeout: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ connections: fc.integer({ min: -5, max: 40 }) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), event), { maxLength: 300, size: 'max' }),
      (ceiling, events) => {
        let ms = 0;
        let allowed = ceiling;
        const control = createAutoConcurrency(ceiling, () => ms);
        const atWork = [control.begin()];
        for (const [after, happens] of events) {
          ms += after;
          if ('connections' in happens) {
            allowed = Math.max(1, Math.min(ceiling, happens.connections));
            control.free(happens.connections);
          } else atWork.shift()?.(happens);
          while (atWork.length < control.limit) atWork.push(control.begin());
          expect(control.limit).toBeGreaterThanOrEqual(1);
          expect(control.limit).toBeLessThanOrEqual(allowed);
          expect(Number.isInteger(control.limit)).toBe(true);
        }
      },
    ),
  );
});

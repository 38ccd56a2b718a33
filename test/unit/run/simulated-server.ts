import { createAutoConcurrency, type EndOfTenant } from '../../../src/core/run/auto-concurrency.ts';

/** A server and a fleet, as a model: no timers, only arithmetic. */
export interface Simulation {
  readonly ceiling?: number;
  /** How much work the server does in a millisecond while so many tenants are at work; a tenant alone is given 1. */
  readonly speed: (atWork: number, ms: number) => number;
  /** The work of the nth tenant: the milliseconds that it takes alone. */
  readonly work: (tenant: number) => number;
  /** Does a tenant that ends now fail on a lock? */
  readonly lockWait?: (atWork: number, ms: number) => boolean;
  /** What free() is told, and when. */
  readonly free?: readonly { readonly at: number; readonly connections: number }[];
  readonly untilMs: number;
}

/** What the controller allowed: its limit whenever that changed, with the time. */
export interface Course {
  readonly limits: readonly { readonly at: number; readonly limit: number }[];
  readonly ended: number;
  /** The limit at a time, in ms. */
  limitAt(ms: number): number;
  /** The mean of the limit over a time, in ms. */
  mean(from: number, to: number): number;
}

/** Keeps as many tenants at work as the controller allows, all of them given an equal share of the server's speed. */
export function simulate(simulation: Simulation): Course {
  let ms = 0;
  let begun = 0;
  let ended = 0;
  const control = createAutoConcurrency({ ceiling: simulation.ceiling ?? 16, now: () => ms });
  const notices = [...(simulation.free ?? [])];
  const limits = [{ at: 0, limit: control.limit }];
  let atWork: { left: number; readonly end: EndOfTenant }[] = [];

  while (ms < simulation.untilMs) {
    while (atWork.length < control.limit) {
      atWork.push({ left: simulation.work(begun), end: control.begin() });
      begun += 1;
    }
    const share = simulation.speed(atWork.length, ms) / atWork.length;
    const soonest = Math.min(...atWork.map(({ left }) => left)) / share;
    const notice = notices[0];
    const step = notice === undefined ? soonest : Math.min(soonest, notice.at - ms);
    ms += step;
    for (const tenant of atWork) tenant.left -= step * share;
    if (notice !== undefined && notice.at <= ms) {
      control.free(notice.connections);
      notices.shift();
    }
    const busy = atWork.length;
    const done = atWork.filter(({ left }) => left < 1e-9);
    atWork = atWork.filter(({ left }) => left >= 1e-9);
    for (const { end } of done) {
      ended += 1;
      end({ lockWait: simulation.lockWait?.(busy, ms) ?? false });
    }
    if (limits.at(-1)?.limit !== control.limit) limits.push({ at: ms, limit: control.limit });
  }
  const limitAt = (at: number) => limits.findLast((entry) => entry.at <= at)?.limit ?? 0;
  const mean = (from: number, to: number) => {
    let sum = 0;
    let since = from;
    for (const { at } of [...limits.filter((entry) => entry.at > from && entry.at < to), { at: to }]) {
      sum += limitAt(since) * (at - since);
      since = at;
    }
    return sum / (to - from);
  };
  return { limits, ended, limitAt, mean };
}

/** Grows with each tenant at work up to so many, and is flat from there. */
export function cores(number: number): Simulation['speed'] {
  return (atWork) => Math.min(atWork, number);
}

/** Numbers from 0 to 1 that look like chance and are the same each time (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = Math.trunc(state + 0x6d2b79f5);
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Tenants at work when a run begins. */
export const START_LEVEL = 2;

/** A step pays that brings at least this share of what it would if throughput grew as the number at work does. */
const WORTH = 0.5;

/** Windows of holding after a step that did not pay. */
const HOLD_WINDOWS = 4;

/** What was seen at one level: tenants that ended, in so many milliseconds. */
export interface Measure {
  readonly tenants: number;
  readonly ms: number;
}

type Move = 'double' | 'up' | 'down';

/** Where the number of tenants at work has come to, and what is being tried. */
export type Course =
  | {
      readonly move: Move;
      /** How many tenants may be at work. */
      readonly level: number;
      /** The level that the move began at, and its throughput in tenants per millisecond. */
      readonly from: Place;
    }
  | {
      readonly move: 'hold';
      readonly level: number;
      readonly windowsLeft: number;
      /** What to try then. */
      readonly next: Move;
      /** All windows of this hold together. */
      readonly seen: Measure;
    };

interface Place {
  readonly level: number;
  readonly rate: number;
}

/** What to do after a window: pure. The rule is told at createAutoConcurrency. `top` is the highest level allowed. */
export function decideCourse(course: Course, window: Measure, top: number): Course {
  if (course.move === 'hold') {
    const seen = { tenants: course.seen.tenants + window.tenants, ms: course.seen.ms + window.ms };
    if (course.windowsLeft > 1) return { ...course, seen, windowsLeft: course.windowsLeft - 1 };
    return go(course.next, { level: course.level, rate: seen.tenants / seen.ms }, top);
  }
  const { move, from } = course;
  const here = { level: course.level, rate: window.tenants / window.ms };
  switch (move) {
    case 'double':
      return pays(from, here) ? go('double', here, top) : go('up', from, top);
    case 'up':
      return pays(from, here) ? go('up', here, top) : hold(from.level, 'down');
    case 'down':
      return pays(here, from) ? hold(Math.min(from.level, top), 'up') : go('down', here, top);
  }
}

/** Begins a move, or holds where there is no room for it. */
function go(move: Move, from: Place, top: number): Course {
  const step = Math.max(1, Math.floor(from.level / 4));
  const wanted = { double: from.level * 2, up: from.level + step, down: from.level - step }[move];
  const level = Math.max(1, Math.min(wanted, top));
  return level === from.level ? hold(level, move === 'down' ? 'up' : 'down') : { move, level, from };
}

function hold(level: number, next: Move): Course {
  return { move: 'hold', level, windowsLeft: HOLD_WINDOWS, next, seen: { tenants: 0, ms: 0 } };
}

function pays(fewer: Place, more: Place): boolean {
  return more.rate >= fewer.rate * (1 + WORTH * (more.level / fewer.level - 1));
}

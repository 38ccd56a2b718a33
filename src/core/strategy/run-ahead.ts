/** The most strings in flight on one connection. After one that fails, the server refuses the rest. */
const MOST_AHEAD = 8;

/** Milliseconds of work in flight per connection: hides network latency, but lets a run stop soon. */
const AHEAD_MS = 50;

/** The weight of the last tenant in the moving average. */
const WEIGHT = 0.25;

/** How many strings to send on a connection before the first is answered. */
export interface RunAhead {
  /** Milliseconds since the previous answer. */
  answered(ms: number): void;
  /** From 1 to MOST_AHEAD: as many as take AHEAD_MS at the recent pace. */
  readonly limit: number;
}

/** Starts with a limit of two: one string runs, one waits. */
export function createRunAhead(): RunAhead {
  let pace = AHEAD_MS / 2;
  return {
    answered(ms) {
      pace += (ms - pace) * WEIGHT;
    },
    get limit() {
      return Math.max(1, Math.min(MOST_AHEAD, Math.floor(AHEAD_MS / pace)));
    },
  };
}

/** For tenants whose answers are waited for. */
export const ONE_AT_A_TIME: RunAhead = { answered() {}, limit: 1 };

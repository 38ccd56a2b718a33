/** Strings on their way on one connection, at most. Behind one that fails, the server refuses the rest of them. */
const MOST_AHEAD = 8;

/**
 * Milliseconds of work that may be on their way on one connection: enough to outlast a network and a client that is
 * looked at by the system now and then; so little that a run that is told to stop is soon over, and no tenant waits
 * long behind a slow one.
 */
const AHEAD_MS = 50;

/** How much of the measure the last tenant is. */
const WEIGHT = 0.25;

/** How many strings to send to a connection before the first of them is answered. */
export interface RunAhead {
  /** A string was answered so many milliseconds after the one before it on its connection. */
  answered(ms: number): void;
  /** From 1 to MOST_AHEAD: as many as take AHEAD_MS at the pace of late. */
  readonly limit: number;
}

/** Starts with one beside the one at work, so that the server finds it waiting. Pure but for its memory. */
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

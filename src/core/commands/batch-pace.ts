import { pause } from '../run/retry.ts';

export interface PaceOptions {
  /** Milliseconds between two batches of a tenant; 0 if absent. */
  readonly batchPauseMs?: number | undefined;
  /** The most rows per second, of all tenants together; no limit if absent. */
  readonly rowsPerSecond?: number | undefined;
}

/**
 * A tenant's batches leave a gap of this length after this time, in milliseconds. Another run looks for a free lock more
 * often (POLL_MS in src/core/serve).
 */
const GAP_MS = 400;
const TURN_MS = 4_000;

/** The speed of the batches of a run. */
export interface Pace {
  /** Counts rows, which delays the batches that follow. */
  changed(rows: number): void;
  /** Resolves when a tenant's next batch may begin, or when the run is stopped. */
  next(tenant: { gapAt: number }): Promise<void>;
}

export function createPace(
  { batchPauseMs = 0, rowsPerSecond = Infinity }: PaceOptions,
  signal: AbortSignal | undefined,
): Pace {
  let freeAt = 0;
  return {
    changed(rows) {
      freeAt = Math.max(freeAt, performance.now()) + (rows * 1_000) / rowsPerSecond;
    },
    async next(tenant) {
      const now = performance.now();
      const wait = Math.max(batchPauseMs, freeAt - now, now - tenant.gapAt >= TURN_MS ? GAP_MS : 0);
      if (wait > 0) await pause(wait, signal);
      if (wait >= GAP_MS) tenant.gapAt = performance.now();
    },
  };
}

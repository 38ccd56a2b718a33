import { isStopped, type RunContext, type Throttle } from '../run/run-context.ts';
import type { Observer } from '../report/event.ts';
import { pause } from '../run/retry.ts';
import { duration } from '../../wording.ts';
import { assertStandbysAreSeen, createLagMeter, readReplication, type Lag } from './standbys.ts';

export interface StandbyThrottle extends Throttle {
  /** Milliseconds for which it has delayed the run. */
  readonly heldBackMs: number;
}

/** Milliseconds between two measurements: half of the allowed lag, within these limits. */
const OFTEN_MS = 100;
const SELDOM_MS = 1_000;

/**
 * Measures the lag on demand; if the server does not answer, the last measurement stays valid.
 * @throws TenantctlError REPLICA_LAG_UNKNOWN if the role may not see the standbys' positions
 */
export async function followStandbys(
  context: RunContext,
  maxLagMs: number,
  observe: Observer,
): Promise<StandbyThrottle> {
  const { database } = context;
  await assertStandbysAreSeen(database);
  const interval = Math.min(SELDOM_MS, Math.max(OFTEN_MS, maxLagMs / 2));
  const measure = createLagMeter();
  let lag: Lag | undefined;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;
  let heldBackMs = 0;

  const look = async () => {
    const seen = await readReplication(database);
    const now = performance.now();
    const wasHeld = isHeld();
    lag = measure(seen, now);
    if (wasHeld) heldBackMs += now - lookedAt;
    if (lag !== undefined && isHeld() && !wasHeld) {
      const message = `Waiting for the standby ${lag.standby}, which ${inWords(lag.ms)} (limit: ${duration(maxLagMs)})`;
      observe({ type: 'phase', message });
    }
    lookedAt = now;
  };
  const isHeld = () => lag !== undefined && lag.ms > maxLagMs;
  const lookAgain = () => {
    looking ??= look()
      .catch(() => {
        lookedAt = performance.now();
      })
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  const isOld = () => performance.now() - lookedAt >= interval;

  await look();
  if (lag === undefined) {
    observe({ type: 'warning', message: 'No standby is connected: --max-replica-lag holds nothing back.' });
  }
  return {
    get heldBackMs() {
      return Math.round(heldBackMs);
    },
    get isHeld() {
      if (isOld()) void lookAgain();
      return isHeld();
    },
    async ready() {
      if (isOld()) await lookAgain();
      while (isHeld() && !isStopped(context)) {
        await pause(interval, context.signal);
        await lookAgain();
      }
    },
  };
}

function inWords(ms: number): string {
  return ms === Infinity
    ? 'is still being brought to where the server is'
    : `is ${(ms / 1000).toFixed(1)} s behind`;
}

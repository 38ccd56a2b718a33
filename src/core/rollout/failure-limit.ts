import { atMost, type RolloutOptions } from './options.ts';
import type { Tally } from '../report/rollout-result.ts';
import type { FailureLimit } from '../run/run-context.ts';

export interface RolloutLimit extends FailureLimit {
  /** Adds due tenants, and tenants that failed before they were started. */
  expect(due: number, failed: number): void;
  /** Starts the canaries, of which `failed` have failed already. */
  beginCanaries(count: number, failed: number): void;
  endCanaries(): void;
  /** The count that exceeded the limit. */
  readonly stop: Tally | undefined;
}

const ONE_OF = { canaries: 'canary', tenants: 'tenant' } as const;

/** "2 of 5 canaries failed", "31 of 1,000 tenants failed, and at most 30 may". Pure. */
export function stopReason({ among, failed, allowed, of }: Tally): string {
  const limit = allowed > 0 || among === 'tenants' ? `, and at most ${allowed} may` : '';
  return `${failed} of ${of} ${of === 1 ? ONE_OF[among] : among} failed${limit}`;
}

/** Counts canaries and all tenants against a limit each. No canary may fail without a limit, any tenant may. */
export function createFailureLimit({
  maxCanaryFailures = { count: 0 },
  maxFailures = { count: Infinity },
}: Pick<RolloutOptions, 'maxCanaryFailures' | 'maxFailures'>): RolloutLimit {
  let [due, failed] = [0, 0];
  let canaries: { readonly of: number; failed: number } | undefined;
  let stop: Tally | undefined;
  /** The count that would exceed its limit after this many more failures. */
  const excess = (more: number): Tally | undefined => {
    const tallies: Tally[] = [];
    if (canaries !== undefined) {
      const allowed = atMost(maxCanaryFailures, canaries.of);
      tallies.push({ among: 'canaries', failed: canaries.failed + more, allowed, of: canaries.of });
    }
    tallies.push({ among: 'tenants', failed: failed + more, allowed: atMost(maxFailures, due), of: due });
    return tallies.find((tally) => tally.failed > tally.allowed);
  };
  const look = () => {
    stop = excess(0) ?? stop;
  };
  return {
    get isOpen() {
      return stop !== undefined;
    },
    get reason() {
      return `the rollout was stopped: ${stop === undefined ? '' : stopReason(stop)}`;
    },
    get stop() {
      return stop;
    },
    failed() {
      failed += 1;
      if (canaries !== undefined) canaries.failed += 1;
      look();
    },
    wouldOpen: (more) => (stop ?? excess(more)) !== undefined,
    expect(moreDue, moreFailed) {
      due += moreDue + moreFailed;
      failed += moreFailed;
      look();
    },
    beginCanaries(of, failedBefore) {
      canaries = { of, failed: failedBefore };
      look();
    },
    endCanaries() {
      canaries = undefined;
    },
  };
}

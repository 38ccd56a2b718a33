import { counted } from '../../wording.ts';
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

/** "31 of 1000 tenants failed (limit: 30 failures, 3 % of 1000)". Pure. */
export function stopReason({ among, failed, allowed, limit, of }: Tally): string {
  const share = 'percent' in limit ? `, ${limit.percent} % of ${of}` : '';
  return `${failed} of ${of} ${of === 1 ? ONE_OF[among] : among} failed (limit: ${counted(allowed, 'failure')}${share})`;
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
      const limit = maxCanaryFailures;
      tallies.push({ among: 'canaries', failed: canaries.failed + more, allowed, limit, of: canaries.of });
    }
    const [allowed, limit] = [atMost(maxFailures, due), maxFailures];
    tallies.push({ among: 'tenants', failed: failed + more, allowed, limit, of: due });
    return tallies.find((tally) => tally.failed > tally.allowed);
  };
  const look = () => {
    stop = excess(0) ?? stop;
  };
  return {
    get isOpen() {
      return stop !== undefined;
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

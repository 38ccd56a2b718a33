import { atMost, type Share } from './share.ts';
import type { Tally } from '../report/rollout-result.ts';
import type { FailureLimit } from '../run/run-context.ts';

/** The failure limit of a rollout, which is told about its progress. */
export interface RolloutLimit extends FailureLimit {
  /** Adds tenants that are due, and tenants that have failed before they were begun. */
  expect(due: number, failed: number): void;
  /** Canaries are served from now on; `failed` of them have failed before. */
  beginCanaries(count: number, failed: number): void;
  /** All canaries have ended. */
  endCanaries(): void;
  /** The count that exceeded the limit. */
  readonly stop: Tally | undefined;
}

/**
 * How many canaries may fail: none without a limit, and never all of them. A percentage is of the canaries. Pure.
 */
export function canariesThatMayFail(maxFailures: Share | undefined, canaries: number): number {
  if (maxFailures === undefined) return 0;
  return Math.max(0, Math.min(atMost(maxFailures, canaries), canaries - 1));
}

/** How many tenants of the whole run may fail: any number without a limit. Pure. */
export function tenantsThatMayFail(maxFailures: Share | undefined, tenants: number): number {
  return maxFailures === undefined ? Infinity : atMost(maxFailures, tenants);
}

/** The first count that exceeds its limit. Pure. */
export function exceeded(tallies: readonly Tally[]): Tally | undefined {
  return tallies.find(({ failed, allowed }) => failed > allowed);
}

const ONE_OF = { canaries: 'canary', tenants: 'tenant' } as const;

/** "2 of 5 canaries failed", "31 of 1,000 tenants failed, and at most 30 may". Pure. */
export function stopReason({ among, failed, allowed, of }: Tally): string {
  const limit = allowed > 0 || among === 'tenants' ? `, and at most ${allowed} may` : '';
  return `${failed} of ${of} ${of === 1 ? ONE_OF[among] : among} failed${limit}`;
}

export function createFailureLimit(maxFailures: Share | undefined): RolloutLimit {
  let [due, failed] = [0, 0];
  let canaries: { readonly count: number; failed: number } | undefined;
  let stop: Tally | undefined;
  const tallies = (more: number): Tally[] => [
    ...(canaries === undefined
      ? []
      : [
          {
            among: 'canaries' as const,
            failed: canaries.failed + more,
            allowed: canariesThatMayFail(maxFailures, canaries.count),
            of: canaries.count,
          },
        ]),
    { among: 'tenants', failed: failed + more, allowed: tenantsThatMayFail(maxFailures, due), of: due },
  ];
  const look = () => {
    stop = exceeded(tallies(0)) ?? stop;
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
    wouldOpen: (more) => stop !== undefined || exceeded(tallies(more)) !== undefined,
    expect(moreDue, moreFailed) {
      due += moreDue + moreFailed;
      failed += moreFailed;
      look();
    },
    beginCanaries(count, failedBefore) {
      canaries = { count, failed: failedBefore };
      look();
    },
    endCanaries() {
      canaries = undefined;
    },
  };
}

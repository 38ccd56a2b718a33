/** What a figure is compared with. It says nothing about other sizes of the fleet than `tenants`. */
export interface Bar {
  readonly kind: 'at least' | 'at most';
  readonly limit: number;
  /** The size that it was set for; any where absent. */
  readonly tenants?: number | undefined;
}

/** One figure that a part of the benchmark found. */
export interface Finding {
  /** What it is, for people. */
  readonly what: string;
  /** The size of the fleet, where there is one. */
  readonly tenants?: number | undefined;
  readonly value: number;
  readonly unit: '×' | 's' | 'ms' | 'MB' | '%' | '';
  readonly bar?: Bar | undefined;
  /** A wrong count ends the benchmark with an error when it is done; a time never does. */
  readonly isCount?: boolean | undefined;
}

/** `other size`: the bar was set for another size of the fleet. */
export type Verdict = 'pass' | 'miss' | 'other size' | undefined;

export function verdictOf({ value, tenants, bar }: Finding): Verdict {
  if (bar === undefined) return undefined;
  if (bar.tenants !== undefined && bar.tenants !== tenants) return 'other size';
  return (bar.kind === 'at least' ? value >= bar.limit : value <= bar.limit) ? 'pass' : 'miss';
}

/** The counts that do not hold, whatever they were taken for. */
export function brokenCounts(findings: readonly Finding[]): Finding[] {
  return findings.filter((each) => each.isCount === true && verdictOf(each) === 'miss');
}

/** A finding of a figure that there may not be, because a rival is not here. */
export function findingOf(value: number | undefined, rest: Omit<Finding, 'value'>): Finding[] {
  return value === undefined ? [] : [{ ...rest, value }];
}

/** The target for a figure, valid only for a fleet of `tenants`. */
export interface Bar {
  readonly kind: 'at least' | 'at most';
  readonly limit: number;
  /** Fleet size; any if absent. */
  readonly tenants?: number | undefined;
}

export interface Finding {
  readonly what: string;
  readonly tenants?: number | undefined;
  readonly value: number;
  readonly unit: '×' | 's' | 'ms' | 'MB' | '%' | '';
  readonly bar?: Bar | undefined;
  /** A wrong count makes the benchmark fail at its end; a time never does. */
  readonly isCount?: boolean | undefined;
}

/** `other size`: the bar applies to another fleet size. */
export type Verdict = 'pass' | 'miss' | 'other size' | undefined;

export function verdictOf({ value, tenants, bar }: Finding): Verdict {
  if (bar === undefined) return undefined;
  if (bar.tenants !== undefined && bar.tenants !== tenants) return 'other size';
  return (bar.kind === 'at least' ? value >= bar.limit : value <= bar.limit) ? 'pass' : 'miss';
}

/** Counts that miss their bar at any fleet size. */
export function brokenCounts(findings: readonly Finding[]): Finding[] {
  return findings.filter((each) => each.isCount === true && verdictOf(each) === 'miss');
}

/** A finding for a figure that may be missing because a rival is not installed. */
export function findingOf(value: number | undefined, rest: Omit<Finding, 'value'>): Finding[] {
  return value === undefined ? [] : [{ ...rest, value }];
}

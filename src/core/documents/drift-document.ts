import type { Cohort } from '../drift/cohort.ts';
import type { Drift } from '../drift/find-drift.ts';
import type { ErrorReport } from '../../errors.ts';

export interface CohortDocument extends Omit<Cohort, 'tenants'> {
  readonly count: number;
  /** Of tenants that are alike the reference only with `--all`. */
  readonly tenants?: Cohort['tenants'];
}

/** `drift`. */
export interface DriftDocument extends Omit<Drift, 'cohorts' | 'failed'> {
  readonly cohorts: readonly CohortDocument[];
  /** Those that have failed. */
  readonly tenants: readonly {
    readonly clerkOrgId: string;
    readonly schema: string;
    readonly error: ErrorReport;
  }[];
}

export function driftDocument({ cohorts, failed, ...rest }: Drift, all: boolean): DriftDocument {
  return {
    ...rest,
    cohorts: cohorts.map(({ tenants, ...cohort }) => ({
      ...cohort,
      count: tenants.length,
      ...((all || cohort.outcome !== 'alike') && { tenants }),
    })),
    tenants: failed.map(({ tenant: { clerkOrgId, schema }, error }) => ({
      clerkOrgId,
      schema,
      error: error.toJSON(),
    })),
  };
}

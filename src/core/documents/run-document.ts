import type { ErrorReport } from '../../errors.ts';
import type { Run, RunTenant } from '../ledger/read-runs.ts';

/** A run in `runs` and `runs show`, with ISO 8601 times. */
export interface RunDocument extends Omit<Run, 'startedAt' | 'endedAt' | 'error'> {
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly error?: ErrorReport;
}

/** A tenant in `runs show`, with `applied` or `reverted` instead of `names`. */
export interface RunTenantDocument extends Omit<RunTenant, 'direction' | 'names' | 'error'> {
  readonly applied?: readonly string[];
  readonly reverted?: readonly string[];
  readonly error?: ErrorReport;
}

export function runDocument({ startedAt, endedAt, error, ...run }: Run): RunDocument {
  return {
    ...run,
    startedAt: startedAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
    ...(error !== null && { error }),
  };
}

export function runTenantDocument({ direction, names, error, ...tenant }: RunTenant): RunTenantDocument {
  return {
    ...tenant,
    [direction === 'up' ? 'applied' : 'reverted']: names,
    ...(error !== null && { error }),
  };
}

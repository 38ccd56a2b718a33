import type { ErrorReport } from '../../errors.ts';
import type { Run, RunOutcome, RunTenant } from '../ledger/read-runs.ts';

/** A run in `runs` and `runs show`. */
export interface RunDocument {
  readonly id: number;
  readonly command: string;
  readonly outcome: RunOutcome;
  readonly startedBy: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  readonly planned: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly totals: Readonly<Record<string, number>>;
  readonly error?: ErrorReport;
}

/** A tenant in `runs show`. */
export interface RunTenantDocument {
  readonly clerkOrgId: string | null;
  readonly schema: string;
  readonly outcome: RunTenant['outcome'];
  readonly applied?: readonly string[];
  readonly reverted?: readonly string[];
  readonly batch: number;
  readonly durationMs: number;
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

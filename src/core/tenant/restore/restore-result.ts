import type { TenantctlError } from '../../../errors.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';
import type { ShapeDifference } from '../../shape/compare-shapes.ts';
import type { Outcome } from '../../serve/work.ts';
import type { Restored, RestoreTask } from './attempt-restore.ts';

/** How the restoration of a tenant ended. */
export interface RestoreResult {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** `skipped`: the run was stopped before. */
  readonly outcome: 'restored' | 'unarchived' | 'already-active' | 'failed' | 'skipped';
  /** The time of the backup, ISO 8601; absent if no backup was opened. */
  readonly madeAt?: string | undefined;
  readonly tables: number;
  readonly rows: number;
  /** The migrations and scripts that were applied after the rows were loaded. */
  readonly applied: readonly string[];
  /** How the shape that was built differs from that of the backup; absent if it does not. */
  readonly differences?: readonly Pick<ShapeDifference, 'kind' | 'name' | 'difference'>[] | undefined;
  /** What of the backup has no place in the schema, and was left out; absent if nothing. */
  readonly left?: readonly string[] | undefined;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/** Of a tenant that nothing was done to. */
export function resultOfUntouched(
  { clerkOrgId, schema }: RestoreTask['tenant'],
  outcome: 'already-active' | 'failed',
  error?: TenantctlError,
): RestoreResult {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return { clerkOrgId, schema, outcome, tables: 0, rows: 0, applied: [], durationMs: 0, ...failure };
}

/** Pure. */
export function toRestoreResult(
  { task, durationMs, ...outcome }: Outcome<RestoreTask, Restored>,
  done: 'restored' | 'unarchived',
): RestoreResult {
  const { clerkOrgId, schema } = task.tenant;
  const { madeAt } = task.source.manifest;
  const about = { clerkOrgId, schema, madeAt, tables: 0, rows: 0, applied: [], durationMs };
  if (outcome.kind === 'failed')
    return { ...about, outcome: 'failed', error: outcome.error.with({ tenant: clerkOrgId }) };
  if (outcome.kind !== 'done') return { ...about, outcome: 'skipped' };
  const { tables, rows, applied, differences, left } = outcome.done;
  return {
    ...about,
    outcome: done,
    tables,
    rows,
    applied,
    ...(differences.length > 0 && {
      differences: differences.map(({ kind, name, difference }) => ({ kind, name, difference })),
    }),
    ...(left.length > 0 && { left }),
  };
}

/** Pure. */
export function restoreEnding(results: readonly RestoreResult[]): RunEnding {
  return endingOfOutcomes(results, { changed: ['restored', 'unarchived'], upToDate: ['already-active'] });
}

import type { TenantctlError } from '../../../errors.ts';
import type { TenantNames } from '../../../names.ts';
import { toVerbResult, verbResult, type VerbResult } from '../../commands/verb-result.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';
import type { ShapeDifference } from '../../shape/compare-shapes.ts';
import type { Outcome } from '../../serve/work.ts';
import type { Restored, RestoreTask } from './attempt-restore.ts';

/** How the restoration of a tenant ended. */
export interface RestoreResult extends VerbResult<'restored' | 'unarchived' | 'already-active'> {
  /** The time of the backup, ISO 8601; absent if no backup was opened. */
  readonly madeAt?: string | undefined;
  readonly tables: number;
  readonly rows: number;
  /** The migrations and scripts that were applied after the rows were loaded. */
  readonly applied: readonly string[];
  /** Of a tenant that was replaced: its status, which stays. */
  readonly status?: string;
  /** How the shape that was built differs from that of the backup; absent if it does not. */
  readonly differences?: readonly Pick<ShapeDifference, 'kind' | 'name' | 'difference'>[] | undefined;
  /** What of the backup has no place in the schema, and was left out; absent if nothing. */
  readonly left?: readonly string[] | undefined;
}

const NOTHING = { tables: 0, rows: 0, applied: [] };

/** Of a tenant that nothing was done to. */
export function resultOfUntouched(
  tenant: TenantNames,
  outcome: 'already-active' | 'failed',
  error?: TenantctlError,
): RestoreResult {
  return verbResult(tenant, outcome, { ...NOTHING, error });
}

/** Pure. */
export function toRestoreResult(
  outcome: Outcome<RestoreTask, Restored>,
  done: 'restored' | 'unarchived',
): RestoreResult {
  const { madeAt } = outcome.task.source.manifest;
  return toVerbResult(outcome, { madeAt, ...NOTHING }, ({ differences, left, ...restored }) => ({
    outcome: done,
    ...restored,
    ...(differences.length > 0 && {
      differences: differences.map(({ kind, name, difference }) => ({ kind, name, difference })),
    }),
    ...(left.length > 0 && { left }),
  }));
}

/** Pure. */
export function restoreEnding(results: readonly RestoreResult[]): RunEnding {
  return endingOfOutcomes(results, { changed: ['restored', 'unarchived'], upToDate: ['already-active'] });
}

import type { VerbResult, VerbResults } from '../../commands/verb-result.ts';
import type { TenantStatus } from '../../../names.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';

/** The statuses of tenants that can be backed up: their migrations have ended, and their schemas are there. */
export const BACKED_UP: readonly TenantStatus[] = ['ACTIVE', 'SUSPENDED'];

/** How the backup of a tenant ended. */
export interface BackupResult extends VerbResult<'backed-up'> {
  /** The absolute path; absent if it was written to a stream, or not at all. */
  readonly file?: string | undefined;
  readonly bytes: number;
  readonly rows: number;
  /** Hexadecimal, of the whole file: as `sha256sum` prints it. */
  readonly sha256?: string | undefined;
  /** The time of the snapshot, ISO 8601. */
  readonly madeAt?: string | undefined;
}

export interface BackupTotals {
  readonly selected: number;
  readonly backedUp: number;
  readonly failed: number;
  readonly skipped: number;
  readonly bytes: number;
  readonly rows: number;
}

export interface Backups extends VerbResults<BackupResult> {
  readonly totals: BackupTotals;
  /** Tenants that were not asked for by name and were left out, by status. */
  readonly notBackedUp: Readonly<Record<string, number>>;
}

/** Pure. */
export function backupTotals(tenants: readonly BackupResult[]): BackupTotals {
  const count = (outcome: BackupResult['outcome']) =>
    tenants.filter((tenant) => tenant.outcome === outcome).length;
  const sum = (key: 'bytes' | 'rows') => tenants.reduce((total, tenant) => total + tenant[key], 0);
  return {
    selected: tenants.length,
    backedUp: count('backed-up'),
    failed: count('failed'),
    skipped: count('skipped'),
    bytes: sum('bytes'),
    rows: sum('rows'),
  };
}

/** Pure. */
export function backupEnding({ tenants }: Backups): RunEnding {
  return endingOfOutcomes(tenants, { changed: ['backed-up'], upToDate: [] });
}

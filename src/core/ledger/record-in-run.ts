import { literal } from '../../db/sql.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { Target } from '../target/target.ts';

interface LedgerEntry {
  readonly direction: 'up' | 'down';
  /** `migrated` or `rolled-back` if absent. */
  readonly outcome?:
    | 'seeded'
    | 'suspended'
    | 'resumed'
    | 'written'
    | 'renamed'
    | 'moved'
    | 'backed-up'
    | 'adopted'
    | 'marked'
    | 'dropped'
    | 'archived'
    | 'restored'
    | 'unarchived'
    | 'cloned';
  /** None if absent. */
  readonly names?: readonly string[];
  /** 0 if absent. */
  readonly batch?: number;
  /** In milliseconds; if absent, the time since the transaction began. */
  readonly durationMs?: number | undefined;
}

/** Writes what a transaction did to a target into the ledger, in that transaction. */
export function recordInLedger(
  run: number | undefined,
  target: Pick<Target, 'schema' | 'clerkOrgId'>,
  entry: LedgerEntry,
): string[] {
  return run === undefined ? [] : [insertEntry(String(run), target, entry)];
}

/**
 * Writes into the ledger that SQL has written in a tenant, in its transaction. It fails once the run has ended: what is
 * left of a dead process can commit nothing when another run continues its work.
 */
export function recordWritten(run: number | undefined, target: Target): string[] {
  if (run === undefined) return [];
  const openRun = `(SELECT id FROM tenantctl.runs WHERE id = ${run} AND ended_at IS NULL FOR SHARE)`;
  return [insertEntry(openRun, target, { direction: 'up', outcome: 'written' })];
}

/** @param run SQL for its number */
function insertEntry(
  run: string,
  { schema, clerkOrgId }: Pick<Target, 'schema' | 'clerkOrgId'>,
  { direction, outcome, names = [], batch = 0, durationMs }: LedgerEntry,
): string {
  const values = [
    run,
    tenantId(schema),
    literal(schema),
    clerkOrgId === undefined ? 'NULL' : literal(clerkOrgId),
    literal(outcome ?? (direction === 'up' ? 'migrated' : 'rolled-back')),
    durationMs ?? SINCE_BEGIN_MS,
    literal(direction),
    batch,
    `ARRAY[${names.map(literal).join(', ')}]::text[]`,
  ];
  return `INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS}) VALUES (${values.join(', ')})`;
}

export const ENTRY_COLUMNS =
  'run, tenant, schema_name, clerk_org_id, outcome, duration_ms, direction, batch, names';

/** Milliseconds since the transaction began, which is now(). */
export const SINCE_BEGIN_MS = '(extract(epoch FROM clock_timestamp() - now()) * 1000)::integer';

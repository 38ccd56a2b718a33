import { literal } from '../../db/sql.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { Target } from '../target/target.ts';

interface LedgerEntry {
  readonly direction: 'up' | 'down';
  /** `migrated` or `rolled-back` if absent. */
  readonly outcome?: 'seeded';
  readonly names: readonly string[];
  readonly batch: number;
  /** In milliseconds; if absent, the time since the transaction began. */
  readonly durationMs?: number | undefined;
}

/** Writes a change of a tenant's status into the ledger, in the transaction of the change. */
export function recordStatusChange(
  run: number | undefined,
  { clerkOrgId, schema }: { readonly clerkOrgId: string; readonly schema: string },
  outcome: 'suspended' | 'resumed',
): string[] {
  if (run === undefined) return [];
  const direction = outcome === 'resumed' ? 'up' : 'down';
  const values = [
    run,
    tenantId(schema),
    ...[schema, clerkOrgId, outcome].map(literal),
    SINCE_BEGIN_MS,
    literal(direction),
    0,
    "'{}'",
  ];
  return [`INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS}) VALUES (${values.join(', ')})`];
}

/**
 * Writes into the ledger that SQL has written in a tenant, in its transaction. It fails once the run has ended: what is
 * left of a dead process can commit nothing when another run continues its work.
 */
export function recordWritten(run: number | undefined, { clerkOrgId, schema }: Target): string[] {
  if (run === undefined) return [];
  const values = [
    `(SELECT id FROM tenantctl.runs WHERE id = ${run} AND ended_at IS NULL FOR SHARE)`,
    tenantId(schema),
    ...[schema, clerkOrgId ?? '', 'written'].map(literal),
    SINCE_BEGIN_MS,
    literal('up'),
    0,
    "'{}'",
  ];
  return [`INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS}) VALUES (${values.join(', ')})`];
}

/** Writes what a transaction did to a target into the ledger, in that transaction. */
export function recordInLedger(run: number | undefined, target: Target, deed: LedgerEntry): string[] {
  if (run === undefined) return [];
  const { direction, names, batch, durationMs } = deed;
  const values = [
    run,
    tenantId(target.schema),
    literal(target.schema),
    target.clerkOrgId === undefined ? 'NULL' : literal(target.clerkOrgId),
    literal(deed.outcome ?? (direction === 'up' ? 'migrated' : 'rolled-back')),
    durationMs ?? SINCE_BEGIN_MS,
    literal(direction),
    batch,
    `ARRAY[${names.map(literal).join(', ')}]::text[]`,
  ];
  return [`INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS}) VALUES (${values.join(', ')})`];
}

export const ENTRY_COLUMNS =
  'run, tenant, schema_name, clerk_org_id, outcome, duration_ms, direction, batch, names';

/** Milliseconds since the transaction began, which is now(). */
export const SINCE_BEGIN_MS = '(extract(epoch FROM clock_timestamp() - now()) * 1000)::integer';

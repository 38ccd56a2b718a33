import { literal } from '../../db/sql.ts';
import type { TenantctlError } from '../../errors.ts';
import { compareNames } from '../files/source.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { Target } from '../target/target.ts';
import type { Database } from '../../db/database.ts';

/** What one transaction did to a target. */
export interface LedgerEntry {
  readonly direction: 'up' | 'down';
  readonly names: readonly string[];
  readonly batch: number;
  /** Milliseconds that it took; where absent, those since the transaction began. */
  readonly durationMs?: number | undefined;
}

/** The statement that writes into the ledger what a transaction did to a target, in that transaction. */
export function recordInLedger(run: number | undefined, target: Target, deed: LedgerEntry): string[] {
  if (run === undefined) return [];
  const { direction, names, batch, durationMs } = deed;
  const values = [
    run,
    tenantId(target.schema),
    literal(target.schema),
    target.clerkOrgId === undefined ? 'NULL' : literal(target.clerkOrgId),
    literal(direction === 'up' ? 'migrated' : 'rolled-back'),
    durationMs ?? SINCE_BEGIN_MS,
    literal(direction),
    batch,
    `ARRAY[${names.map(literal).join(', ')}]::text[]`,
  ];
  return [`INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS}) VALUES (${values.join(', ')})`];
}

export const ENTRY_COLUMNS =
  'run, tenant, schema_name, clerk_org_id, outcome, duration_ms, direction, batch, names';

/** The milliseconds since the transaction began: now() is its beginning. */
export const SINCE_BEGIN_MS = '(extract(epoch FROM clock_timestamp() - now()) * 1000)::integer';

/** A tenant that failed in a run. */
export interface TenantFailure {
  readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
  readonly error: TenantctlError;
  readonly durationMs?: number | undefined;
}

/**
 * Remembers failures, in a statement of its own: the tenants' transactions have been rolled back. Each is the tenant's
 * last one from now on, and stands in the ledger. Somebody else at work is no failure of the tenant.
 */
export async function recordFailures(
  database: Database,
  run: { readonly id: number | undefined } | undefined,
  { command, direction }: { readonly command: string; readonly direction: 'up' | 'down' },
  failures: readonly TenantFailure[],
): Promise<void> {
  if (failures.length === 0) return;
  // One of a schema: an INSERT changes no row twice. In one order for all: two runs must not meet crosswise.
  const bySchema = [...new Map(failures.map((failure) => [failure.tenant.schema, failure])).values()].sort(
    (a, b) => compareNames(a.tenant.schema, b.tenant.schema),
  );
  await database.query(
    `WITH failed AS (
       SELECT k.id AS tenant, f.*
       FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::int[]) AS f (schema_name, clerk_org_id, error, duration_ms)
       LEFT JOIN tenantctl.tenants k ON k.schema_name = f.schema_name AND k.gone_at IS NULL),
     in_run AS (
       INSERT INTO tenantctl.run_tenants (run, tenant, schema_name, clerk_org_id, outcome, duration_ms, direction, error)
       SELECT $5, tenant, schema_name, clerk_org_id, 'failed', duration_ms, $6, error FROM failed WHERE $5::bigint IS NOT NULL)
     INSERT INTO tenantctl.tenant_failures (tenant, command, error)
     SELECT tenant, $7, error FROM failed WHERE error ->> 'code' <> 'LOCK_TIMEOUT' AND tenant IS NOT NULL
     ON CONFLICT (tenant) DO UPDATE
       SET command = excluded.command, error = excluded.error, failed_at = now()`,
    [
      bySchema.map(({ tenant }) => tenant.schema),
      bySchema.map(({ tenant }) => tenant.clerkOrgId),
      // jsonb holds no NUL (https://www.postgresql.org/docs/current/datatype-json.html).
      bySchema.map(({ error }) => JSON.stringify(error).replaceAll('\\u0000', '')),
      bySchema.map(({ durationMs }) => Math.round(durationMs ?? 0)),
      run?.id ?? null,
      direction,
      command,
    ],
  );
}

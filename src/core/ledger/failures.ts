import { messageOf, type TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import { jsonOf } from './run-rows.ts';
import type { Database } from '../../db/database.ts';

interface TenantFailure {
  readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
  readonly error: TenantctlError;
  readonly durationMs?: number | undefined;
}

type FailedRun = { readonly id: number | undefined } | undefined;

export interface FailedWork {
  readonly command: string;
  readonly direction: 'up' | 'down';
  /**
   * Only the run records these: they are last failures already, or of work that does not decide a tenant's class.
   */
  readonly areStanding?: boolean | undefined;
}

/**
 * Called after the tenants' rollbacks. Not recorded as a tenant's last failure are a lock held by another run,
 * and swapped rows, since the schema is another tenant's. No other failure replaces a refused check, which only
 * a check that passes or a rollback clears.
 */
export async function recordFailures(
  database: Database,
  run: FailedRun,
  { command, direction, areStanding = false }: FailedWork,
  failures: readonly TenantFailure[],
): Promise<void> {
  if (failures.length === 0) return;
  // Two rows of the registry may name one schema, and an INSERT cannot update a row twice: DISTINCT.
  // Sorted, to avoid deadlocks between runs.
  await database.query(
    `WITH failed AS (
       SELECT k.id AS tenant, f.*
       FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::int[]) AS f (schema_name, clerk_org_id, error, duration_ms)
       LEFT JOIN tenantctl.tenants k ON k.schema_name = f.schema_name AND k.gone_at IS NULL),
     in_run AS (
       INSERT INTO tenantctl.run_tenants (run, tenant, schema_name, clerk_org_id, outcome, duration_ms, direction, error)
       SELECT $5, tenant, schema_name, clerk_org_id, 'failed', duration_ms, $6, error FROM failed WHERE $5::bigint IS NOT NULL)
     INSERT INTO tenantctl.tenant_failures (tenant, command, error)
     SELECT DISTINCT ON (tenant) tenant, $7, error FROM failed
     WHERE error ->> 'code' NOT IN ('LOCK_TIMEOUT', 'TENANT_SWAPPED') AND tenant IS NOT NULL AND NOT $8
     ORDER BY tenant
     ON CONFLICT (tenant) DO UPDATE
       SET command = excluded.command, error = excluded.error, failed_at = now()
       WHERE tenant_failures.error ->> 'code' <> 'CHECK_REFUSED' OR excluded.error ->> 'code' = 'CHECK_REFUSED'`,
    [
      failures.map(({ tenant }) => tenant.schema),
      failures.map(({ tenant }) => tenant.clerkOrgId),
      failures.map(({ error }) => jsonOf(error)),
      failures.map(({ durationMs }) => Math.round(durationMs ?? 0)),
      run?.id ?? null,
      direction,
      command,
      areStanding,
    ],
  );
}

/** Records failures as they come; those that arrive during a statement share the next one. */
export interface FailureLog {
  add(failure: TenantFailure): void;
  /** Resolves when all failures added so far are written. */
  written(): Promise<void>;
}

export function createFailureLog(
  database: Database,
  run: FailedRun,
  work: FailedWork & { readonly observe: Observer },
): FailureLog {
  const waiting: TenantFailure[] = [];
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (waiting.length > 0) {
      await recordFailures(database, run, work, waiting.splice(0)).catch((error: unknown) => {
        work.observe({ type: 'warning', message: `A failure could not be recorded: ${messageOf(error)}` });
      });
    }
    writing = undefined;
  };
  return {
    add(failure) {
      waiting.push(failure);
      writing ??= write();
    },
    async written() {
      await writing;
    },
  };
}

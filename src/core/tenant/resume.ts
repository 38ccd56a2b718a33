import type { Database } from '../../db/database.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { inRun, type CommandRun } from '../commands/in-run.ts';
import { migrateInRun, type MigrateTenantsOptions } from '../commands/migrate-tenants.ts';
import { verbResults } from '../commands/verb-result.ts';
import { checkOptions } from '../options/check-options.ts';
import { findTenants } from '../registry/registry.ts';
import { assertHolds, assertRegistry } from '../registry/registry-shape.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { createLanes } from '../run/lanes.ts';
import { isStopped } from '../run/run-context.ts';
import { serveStatusChange } from './status/serve-status-change.ts';
import {
  endingOf,
  resultOf,
  type StatusChangeResult,
  type StatusChanges,
  type StatusTenant,
} from './status/status-change-result.ts';
import { triageByStatus } from './status/triage-by-status.ts';
import { onlyResult } from './common/only-result.ts';

/** As for migrating; the folder may be empty. */
export type ResumeOptions = Omit<
  MigrateTenantsOptions,
  'tenants' | 'include' | 'retryFailed' | 'to' | 'listUpToDate' | 'allowEmptyFolder'
>;

/**
 * Migrates SUSPENDED tenants as `migrateTenants` does, and then makes them ACTIVE. A tenant whose migration fails stays
 * SUSPENDED. Each status is changed under the tenant's lock, and the channel `tenantctl` is notified. An ACTIVE tenant
 * is left as it is.
 * @param organizationIds or schema names
 * @throws TenantctlError TENANT_UNKNOWN, before anything is changed; what migrateTenants throws. One tenant's failure
 *   is in its result
 */
export async function resumeTenants(
  database: Database,
  organizationIds: readonly string[],
  options: ResumeOptions,
): Promise<StatusChanges> {
  checkOptions({ organizationIds }, 'organizationIds');
  const asked = {
    ...options,
    tenants: organizationIds,
    include: TRANSITIONS.resume.from,
    listUpToDate: true,
    allowEmptyFolder: true,
  };
  return inRun(database, 'tenant resume', asked, endingOf, resumeInRun);
}

/** resumeTenants for one organization. @throws TenantctlError if its result is a failure */
export async function resumeTenant(
  database: Database,
  organizationId: string,
  options: ResumeOptions,
): Promise<StatusChangeResult> {
  checkOptions({ organizationId }, 'organizationId');
  return onlyResult(await resumeTenants(database, [organizationId], options));
}

async function resumeInRun(commandRun: CommandRun<MigrateTenantsOptions>): Promise<StatusChanges> {
  const elapsedMs = startStopwatch();
  const { context, options, run, observe } = commandRun;
  const { database } = context;
  const registry = await assertRegistry(database);
  assertHolds(registry, database.names, TRANSITIONS.resume.to);
  const { tasks, results } = triageByStatus('resume', await findTenants(database, options.tenants ?? []));
  if (tasks.length > 0) {
    const tenants = tasks.map(({ clerkOrgId }) => clerkOrgId);
    const migrated = await migrateInRun({ ...commandRun, options: { ...options, tenants } });
    const { ready, left } = sortMigrated(tasks, migrated, isStopped(context));
    results.push(...left);
    if (ready.length > 0) {
      await run.begin([]);
      const lanes = await createLanes(database, options.concurrency, observe);
      const applied = new Map(migrated.tenants.map(({ clerkOrgId, names }) => [clerkOrgId, names]));
      const work = { change: 'resume' as const, registry, lanes, observe, applied };
      results.push(...(await serveStatusChange(context, ready, work)));
    }
  }
  return verbResults(results, elapsedMs());
}

/** Separates tenants that may become ACTIVE from those that stay SUSPENDED. Pure. */
function sortMigrated(tasks: readonly StatusTenant[], { tenants }: FleetResult, stopped: boolean) {
  const bySchema = new Map(tenants.map((result) => [result.schema, result]));
  const ready: StatusTenant[] = [];
  const left: StatusChangeResult[] = [];
  for (const tenant of tasks) {
    const result = bySchema.get(tenant.schema);
    const error = reasonToStay(result);
    const more = { applied: result?.names ?? [], durationMs: result?.durationMs ?? 0 };
    if (error !== undefined) left.push(resultOf(tenant, 'failed', { ...more, error }));
    else if (stopped) left.push(resultOf(tenant, 'skipped', more));
    else ready.push(tenant);
  }
  return { ready, left };
}

/** Undefined also if its status has changed meanwhile: the change itself judges that. */
function reasonToStay(result: TenantResult | undefined): TenantResult['error'] {
  return result?.error?.code === 'TENANT_NOT_ACTIVE' ? undefined : result?.error;
}

import { TenantctlError } from '../../errors.ts';
import { findTenants } from '../registry/registry.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { readRun } from './read-runs.ts';
import { queryEntries } from './query-entries.ts';
import { readStateVersion, RUNS_SINCE } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/**
 * @param run its number; true for the last run with failures
 * @param only organization ids or schemas to choose from; all if absent
 * @returns schemas, and how many of the failed tenants are no longer in the registry
 * @throws TenantctlError RUN_UNKNOWN, also for a run of another command or without failures; TENANT_UNKNOWN; USAGE if one of `only` did not fail in the run
 */
export async function failedInRun(
  database: Database,
  run: number | true,
  only?: readonly string[],
): Promise<{ readonly schemas: readonly string[]; readonly gone: number }> {
  const stateVersion = await readStateVersion(database);
  const id =
    run === true ? await lastWithFailures(database, stateVersion) : await migratingRun(database, run);
  const { table, schema } = registrySql(database.names);
  const rows = await queryEntries<{ schema: string; isGone: boolean }>(
    database,
    stateVersion,
    `SELECT DISTINCT e.schema, e.is_gone OR r.${schema} IS NULL AS "isGone"
     FROM entries e LEFT JOIN ${table} r ON r.${schema}::text = e.schema
     WHERE e.run = $1 AND e.outcome = 'failed'`,
    [id],
  );
  if (rows.length === 0)
    throw new TenantctlError('RUN_UNKNOWN', `No tenant failed in run ${id}.`, { hint: NOTHING_TO_RETRY });
  const failed = rows.filter(({ isGone }) => !isGone).map((row) => row.schema);
  if (only === undefined) return { schemas: failed, gone: rows.length - failed.length };
  const chosen = await findTenants(database, only);
  const outside = chosen.find((tenant) => !failed.includes(tenant.schema));
  if (outside === undefined) return { schemas: chosen.map((tenant) => tenant.schema), gone: 0 };
  const tenant = outside.clerkOrgId;
  throw new TenantctlError('USAGE', `The tenant "${tenant}" did not fail in run ${id}.`, {
    tenant,
    hint: `tenantctl runs show ${id} lists those that failed. To migrate it anyway, leave out --retry-failed.`,
  });
}

const NOTHING_TO_RETRY = 'There is nothing to retry. tenantctl status shows where each tenant is.';

async function migratingRun(database: Database, run: number): Promise<number> {
  const { id, command } = await readRun(database, run);
  if (command === 'migrate tenants') return id;
  throw new TenantctlError(
    'RUN_UNKNOWN',
    `Run ${run} was ${command}; --retry-failed takes runs of migrate tenants.`,
    { hint: 'tenantctl runs lists them.' },
  );
}

async function lastWithFailures(database: Database, stateVersion: number): Promise<number> {
  if (stateVersion >= RUNS_SINCE) {
    const { rows } = await database.query<{ id: string }>(
      `SELECT r.id FROM tenantctl.runs r
       WHERE r.command = 'migrate tenants'
         AND EXISTS (SELECT FROM tenantctl.run_tenants t WHERE t.run = r.id AND t.outcome = 'failed')
       ORDER BY r.id DESC LIMIT 1`,
    );
    if (rows[0] !== undefined) return Number(rows[0].id);
  }
  throw new TenantctlError('RUN_UNKNOWN', 'There is no run of migrate tenants in which a tenant failed.', {
    hint: NOTHING_TO_RETRY,
  });
}

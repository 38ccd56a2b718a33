import type { QueryResultRow } from 'pg';
import type { RecordedFailure } from './failures.ts';
import type { Intent } from './intents.ts';
import { FORMER, MASTER_ID, type FormerNames } from './tenant-ids.ts';
import { TENANT_IDS_SINCE } from './version.ts';
import type { Database } from '../../db/database.ts';

/**
 * What is remembered about tenants, by the schema's name as the registry has it now; the master schema is `public`. Empty
 * where the tenantctl schema is absent.
 */
export interface Memory {
  readonly failures: ReadonlyMap<string, RecordedFailure>;
  readonly intents: ReadonlyMap<string, Intent>;
  /** The former names of tenants of which both names have changed, so that it is not known whether they are the same. */
  readonly ambiguous: ReadonlyMap<string, FormerNames>;
}

export const NOTHING_REMEMBERED: Memory = { failures: new Map(), intents: new Map(), ambiguous: new Map() };

interface MemoryRow extends QueryResultRow {
  readonly kind: 'failure' | 'intent' | 'ambiguous';
  readonly schema: string;
  readonly since: Date;
  readonly details: unknown;
}

/** Reads all that is remembered about tenants: the tables hold exceptions, so they are short. Only reads. */
export async function readMemory(database: Database, stateVersion: number): Promise<Memory> {
  if (stateVersion === 0) return NOTHING_REMEMBERED;
  const { rows } = await database.query<MemoryRow>(
    `WITH changes AS MATERIALIZED (${changesIn(stateVersion)})
     SELECT 'failure' AS kind, schema, failed_at AS since, jsonb_build_object('command', command, 'error', error) AS details
     FROM ${underNames('tenant_failures', stateVersion)} WHERE NOT is_gone
     UNION ALL
     SELECT 'intent', schema, started_at, jsonb_build_object('migration', migration, 'direction', direction)
     FROM ${underNames('intents', stateVersion)} WHERE NOT is_gone
     UNION ALL
     SELECT 'ambiguous', schema, now(), former FROM changes WHERE is_ambiguous`,
  );
  const of = (kind: MemoryRow['kind']) => rows.filter((row) => row.kind === kind);
  return {
    failures: new Map(
      of('failure').map(({ schema, since, details }) => [
        schema,
        { ...(details as Omit<RecordedFailure, 'failedAt'>), failedAt: since },
      ]),
    ),
    intents: new Map(
      of('intent').map(({ schema, since, details }) => [
        schema,
        { ...(details as Omit<Intent, 'startedAt'>), startedAt: since },
      ]),
    ),
    ambiguous: new Map(of('ambiguous').map(({ schema, details }) => [schema, details as FormerNames])),
  };
}

/** The tenants that the registry has under other names than tenantctl, as a query. */
export function changesIn(stateVersion: number): string {
  return stateVersion < TENANT_IDS_SINCE
    ? `SELECT NULL::bigint AS tenant, ''::text AS schema, NULL::jsonb AS former, true AS is_ambiguous WHERE false`
    : `SELECT c.tenant, c.organization, c.schema_name AS schema, ${FORMER} AS former, c.is_ambiguous
       FROM tenantctl.registry_changes() c JOIN tenantctl.tenants k ON k.id = c.tenant`;
}

/**
 * The rows of a table that refers to tenants, for a FROM clause, each with the names that the tenant has now: `schema`,
 * `organization`, and `is_gone` where they are its last ones. NULL where tenantctl does not know the tenant. `changes`
 * is the query above.
 */
export function underNames(
  table: 'tenant_failures' | 'intents' | 'run_tenants',
  stateVersion: number,
): string {
  return stateVersion < TENANT_IDS_SINCE
    ? `(SELECT *, schema_name AS schema, NULL::text AS organization, false AS is_gone FROM tenantctl.${table}) ${table}`
    : `(SELECT x.*, CASE WHEN x.tenant = ${MASTER_ID} THEN 'public' ELSE coalesce(c.schema, k.schema_name) END AS schema,
               coalesce(c.organization, k.clerk_org_id) AS organization,
               c.tenant IS NULL AND k.gone_at IS NOT NULL AS is_gone
        FROM tenantctl.${table} x
        LEFT JOIN changes c ON c.tenant = x.tenant AND NOT c.is_ambiguous
        LEFT JOIN tenantctl.tenants k ON k.id = x.tenant) ${table}`;
}

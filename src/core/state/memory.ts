import type { QueryResultRow } from 'pg';
import { recordedError, type RecordedFailure } from './failures.ts';
import { BACKEND_LIVES, type Intent } from './intents.ts';
import { FORMER, MASTER_ID, type FormerNames } from './tenant-ids.ts';
import type { VerbIntent } from './unfinished-verb.ts';
import { SELECT_LEFT } from './verb-intents.ts';
import { INTENT_BACKENDS_SINCE, TENANT_IDS_SINCE, VERB_INTENTS_SINCE } from './version.ts';
import type { Database } from '../../db/database.ts';

/** What is recorded about tenants, by current schema name; the master schema is `public`. */
export interface Memory {
  readonly failures: ReadonlyMap<string, RecordedFailure>;
  /** Of migrations that are not at work any more. */
  readonly intents: ReadonlyMap<string, Intent>;
  /** Verbs that have begun and not ended, and are not at work any more. */
  readonly verbs: ReadonlyMap<string, VerbIntent>;
  /** Earlier names of tenants whose two names both changed, or whose rows may be swapped (isSwapped). */
  readonly ambiguous: ReadonlyMap<string, FormerNames>;
}

interface MemoryRow extends QueryResultRow {
  readonly kind: 'failure' | 'intent' | 'verb' | 'ambiguous';
  readonly schema: string;
  readonly since: Date;
  readonly details: object;
}

export const NOTHING_REMEMBERED: Memory = {
  failures: new Map(),
  intents: new Map(),
  verbs: new Map(),
  ambiguous: new Map(),
};

/** Reads everything recorded about tenants. The tables are short: they hold only exceptions. */
export async function readMemory(database: Database, stateVersion: number): Promise<Memory> {
  if (stateVersion === 0) return NOTHING_REMEMBERED;
  const verbs =
    stateVersion >= VERB_INTENTS_SINCE ? ` UNION ALL SELECT 'verb', v.* FROM (${SELECT_LEFT}) v` : '';
  const { rows } = await database.query<MemoryRow>(
    `WITH changes AS MATERIALIZED (${changesIn(stateVersion)})
     SELECT 'failure' AS kind, schema, failed_at AS since, jsonb_build_object('command', command, 'error', ${recordedError('error')}) AS details
     FROM ${underNames('tenant_failures', stateVersion)} WHERE NOT is_gone
     UNION ALL
     SELECT 'intent', schema, started_at, jsonb_build_object('migration', migration, 'direction', direction)
     FROM ${underNames('intents', stateVersion)}
     WHERE NOT is_gone${stateVersion >= INTENT_BACKENDS_SINCE ? ` AND NOT ${BACKEND_LIVES}` : ''}
     UNION ALL
     SELECT 'ambiguous', schema, now(), former FROM changes WHERE is_ambiguous${verbs}`,
  );
  const bySchema = <Value>(kind: MemoryRow['kind'], timed: (since: Date) => Partial<Value>) =>
    new Map(
      rows
        .filter((row) => row.kind === kind)
        .map(({ schema, since, details }) => [schema, { ...details, ...timed(since) } as Value]),
    );
  return {
    failures: bySchema<RecordedFailure>('failure', (failedAt) => ({ failedAt })),
    intents: bySchema<Intent>('intent', (startedAt) => ({ startedAt })),
    verbs: bySchema<VerbIntent>('verb', () => ({})),
    ambiguous: bySchema<FormerNames>('ambiguous', () => ({})),
  };
}

/** The query for tenants whose names in the registry differ from those in tenantctl. */
export function changesIn(stateVersion: number): string {
  return stateVersion < TENANT_IDS_SINCE
    ? `SELECT NULL::bigint AS tenant, ''::text AS schema, NULL::jsonb AS former, true AS is_ambiguous WHERE false`
    : `SELECT c.tenant, c.organization, c.schema_name AS schema, ${FORMER} AS former, c.is_ambiguous
       FROM tenantctl.registry_changes() c JOIN tenantctl.tenants k ON k.id = c.tenant`;
}

/**
 * For FROM: a table's rows with their tenant's names, current or (`is_gone`) last; NULL for unknown tenants.
 * @param changes the query of changesIn
 */
export function underNames(
  table: 'tenant_failures' | 'intents' | 'run_tenants',
  stateVersion: number,
): string {
  return stateVersion < TENANT_IDS_SINCE
    ? `(SELECT *, NULL::bigint AS tenant, schema_name AS schema, NULL::text AS organization, false AS is_gone FROM tenantctl.${table}) ${table}`
    : `(SELECT x.*, CASE WHEN x.tenant = ${MASTER_ID} THEN 'public' ELSE coalesce(c.schema, k.schema_name) END AS schema,
               coalesce(c.organization, k.clerk_org_id) AS organization,
               c.tenant IS NULL AND k.gone_at IS NOT NULL AS is_gone
        FROM tenantctl.${table} x
        LEFT JOIN changes c ON c.tenant = x.tenant AND NOT c.is_ambiguous
        LEFT JOIN tenantctl.tenants k ON k.id = x.tenant) ${table}`;
}

import type { Database } from '../../db/database.ts';
import { literal } from '../../db/sql.ts';
import { AT_WORK } from './run-at-work.ts';
import { tenantId } from './tenant-ids.ts';
import type { VerbIntent } from './unfinished-verb.ts';

/** Keyed by the tenant's id in tenantctl.tenants, which survives a rename. */
export const VERB_INTENTS_TABLE: readonly string[] = [
  `CREATE TABLE tenantctl.verb_intents (
     tenant bigint PRIMARY KEY,
     verb text NOT NULL,
     begun_at timestamptz NOT NULL DEFAULT now(),
     run bigint,
     details jsonb NOT NULL DEFAULT '{}')`,
  `COMMENT ON TABLE tenantctl.verb_intents IS
     'A verb of several transactions that has begun for a tenant and not ended. Others leave the tenant alone until then.'`,
];

/**
 * For the first transaction of a verb, under the tenant's lock. If it has begun already, its start stays. `drop` replaces
 * the intent of any verb.
 */
export function beginVerb(
  schema: string,
  { verb, run, details = {} }: Pick<VerbIntent, 'verb'> & { run?: number; details?: VerbIntent['details'] },
): string {
  return `INSERT INTO tenantctl.verb_intents AS i (tenant, verb, run, details)
    VALUES (${tenantId(schema)}, ${literal(verb)}, ${run ?? 'NULL'}, ${literal(JSON.stringify(details))}::jsonb)
    ON CONFLICT (tenant) DO UPDATE SET run = excluded.run, details = excluded.details, verb = excluded.verb,
      begun_at = CASE i.verb WHEN excluded.verb THEN i.begun_at ELSE excluded.begun_at END`;
}

/** For the last transaction of a verb. */
export function endVerb(schema: string): string {
  return `DELETE FROM tenantctl.verb_intents WHERE tenant = ${tenantId(schema)}`;
}

const AS_JSON = `jsonb_build_object('clerkOrgId', coalesce(k.clerk_org_id, i.details ->> 'clerkOrgId', ''), 'verb', i.verb, 'run', i.run,
  'begunAt', to_char(i.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'details', i.details)`;

/** SQL for the VerbIntent of a tenant; NULL if there is none. Read it under the tenant's lock. */
export function selectVerbIntent(schema: string): string {
  return `(SELECT ${AS_JSON} FROM tenantctl.verb_intents i JOIN tenantctl.tenants k ON k.id = i.tenant
           WHERE k.schema_name = ${literal(schema)} AND k.gone_at IS NULL)`;
}

/**
 * The verbs that have not ended, by schema, those at work included. Of `details`, the command alone.
 * Empty also where an older tenantctl has made the state.
 */
export async function readUnfinished(
  database: Pick<Database, 'query'>,
): Promise<ReadonlyMap<string, VerbIntent>> {
  const { rows: found } = await database.query<{ there: boolean }>(
    `SELECT to_regclass('tenantctl.verb_intents') IS NOT NULL AS there`,
  );
  if (found[0]?.there !== true) return new Map();
  const { rows } = await database.query<{ schema: string; intent: VerbIntent }>(
    `SELECT k.schema_name AS schema, ${AS_JSON} || jsonb_build_object('details', jsonb_strip_nulls(jsonb_build_object('command', i.details -> 'command'))) AS intent
     FROM tenantctl.verb_intents i JOIN tenantctl.tenants k ON k.id = i.tenant WHERE k.gone_at IS NULL`,
  );
  return new Map(rows.map(({ schema, intent }) => [schema, intent]));
}

/** SQL that tests whether a tenant's verb belongs to another run, which is still at work. @param run this one */
export function isAtWorkElsewhere(schema: string, run: number | undefined): string {
  return `EXISTS (SELECT FROM tenantctl.verb_intents i JOIN tenantctl.runs r ON r.id = i.run
                  WHERE i.tenant = ${tenantId(schema)} AND r.id IS DISTINCT FROM ${run ?? 'NULL'} AND ${AT_WORK})`;
}

/** SQL for all of them whose runs are not at work any more, by `schema`. */
export const SELECT_LEFT = `SELECT k.schema_name AS schema, i.begun_at AS since, ${AS_JSON} AS details
  FROM tenantctl.verb_intents i JOIN tenantctl.tenants k ON k.id = i.tenant
  WHERE k.gone_at IS NULL AND NOT EXISTS (SELECT FROM tenantctl.runs r WHERE r.id = i.run AND ${AT_WORK})`;

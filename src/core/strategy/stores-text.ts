import type { Database } from '../../db/database.ts';
import { literal } from '../../db/sql.ts';
import { SYSTEM_SCHEMA, tenantSchemaPattern } from '../registry/schema-name.ts';
import { HISTORY_TRIGGER } from '../stamps/history-trigger.ts';
import { lockTableOf, mayNameHistory } from '../target/history.ts';

/** current_query() in a stored expression: its oid, which is the same in every version. */
const CALL = ':funcid 817 ';

/** In a text: what the server knows of the statement that runs. */
const SHOWS_SENDING = /current_query|pg_stat_(?:get_)?activity|pg_prepared_statement/i;

/** What the database and the texts of a plan store that tells how they are sent. */
export interface Stored {
  /**
   * Statements may be stored as text, as audit triggers do: current_query() is the whole string that was sent
   * (https://www.postgresql.org/docs/current/functions-info.html), so each statement must be sent alone.
   */
  readonly hasCurrentQuery: boolean;
  /** A function or a text names the history: it may read what was recorded before it. */
  readonly namesHistory: boolean;
}

/**
 * SQL for whether a migration may run the function `p`: one of triggers on the history alone does not count.
 * @param history an array of the history's tables, in SQL
 */
export function mayRun(history: string): string {
  return `(p.prorettype <> 'trigger'::regtype OR EXISTS (
             SELECT FROM pg_depend d JOIN pg_trigger t ON t.oid = d.objid JOIN pg_class c ON c.oid = t.tgrelid
             WHERE d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND c.relname <> ALL (${history})))`;
}

/**
 * Looks at all functions, except tenantctl's own and those of triggers on the history alone, and at defaults, domains, rules and views
 * of one tenant's schema and of those that are no tenant's. A trigger may ask pg_stat_activity for the same. Call it
 * after that tenant's migrations: they may create such a thing.
 */
export async function readStored(
  database: Pick<Database, 'query' | 'names'>,
  schema: string,
  texts: readonly string[],
): Promise<Stored> {
  const { tenantHistory } = database.names;
  const { rows } = await database.query<{ [Column in keyof Stored]: boolean }>(
    `WITH routines AS (
       SELECT coalesce(bool_or(
           CASE p.prosrc WHEN '' THEN strpos(to_jsonb(p) ->> 'prosqlbody', $2) > 0
             ELSE p.prosrc ~* 'current_query' OR p.prosrc ~* 'pg_stat_(get_)?activity' AND p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) END
           AND ${mayRun('$3')}
         ), false) AS ask, coalesce(bool_or(strpos(p.prosrc, $4) > 0), false) AS name_history
       FROM pg_proc p
       WHERE p.oid >= 16384 AND p.pronamespace <> 'tenantctl'::regnamespace
         AND NOT starts_with(p.proname::text, '${HISTORY_TRIGGER}_')
     )
     SELECT r.ask OR EXISTS (
       SELECT FROM pg_depend d, LATERAL (
         SELECT a.adbin::text FROM pg_attrdef a WHERE a.adrelid = d.objid
         UNION ALL SELECT r.ev_action::text FROM pg_rewrite r WHERE r.ev_class = d.objid
         UNION ALL SELECT t.typdefaultbin::text FROM pg_type t WHERE t.oid = d.objid) AS stored (expression)
       WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = ANY (ARRAY(
           SELECT n.oid FROM pg_namespace n
           WHERE n.nspname IN ('public', $1) OR n.nspname !~ '${SYSTEM_SCHEMA.source}' AND n.nspname !~ ${literal(tenantSchemaPattern(database.names))} AND NOT tenantctl.is_other_tenants(n.nspname::text)))
         AND strpos(stored.expression, $2) > 0
     ) AS "hasCurrentQuery", r.name_history AS "namesHistory"
     FROM routines r`,
    [schema, CALL, [tenantHistory, lockTableOf(tenantHistory)], tenantHistory],
  );
  return {
    hasCurrentQuery: texts.some((text) => SHOWS_SENDING.test(text)) || rows[0]?.hasCurrentQuery === true,
    namesHistory: texts.some((text) => mayNameHistory(text, tenantHistory)) || rows[0]?.namesHistory === true,
  };
}

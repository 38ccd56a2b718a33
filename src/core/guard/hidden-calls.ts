import type { Database } from '../../db/database.ts';
import { each } from './own-objects.ts';
/**
 * SQL for whether statements on tables may call functions that no text names: by event triggers, or by operators,
 * operator classes and casts whose functions are neither C nor PostgreSQL's own. To build an index, or to check a
 * foreign key, calls these.
 */
export const HAS_HIDDEN_CALLS = `(EXISTS (SELECT FROM pg_catalog.pg_event_trigger t WHERE t.evtenabled <> 'D')
                  OR EXISTS (
                    SELECT FROM (
                      SELECT c.castfunc FROM pg_catalog.pg_cast c WHERE c.oid >= 16384
                      UNION ALL SELECT a.amproc FROM pg_catalog.pg_amproc a WHERE a.oid >= 16384
                      UNION ALL SELECT o.oprcode FROM pg_catalog.pg_operator o WHERE o.oid >= 16384) f (oid),
                      ${each('pg_proc', 'p', 'p.oid = f.oid')}
                    WHERE p.oid >= 16384
                      AND p.prolang <> ALL (ARRAY(SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname IN ('c', 'internal')))))`;

/** What may have changed about texts, and their limits, that were recorded in earlier runs. */
export interface Since {
  /** They may call functions that no text names. */
  readonly hasHiddenCalls: boolean;
  /** A schema that they may reach belongs to a tenant now. */
  readonly reachesTenants: boolean;
}

/** @param schemas that the limits allow */
export async function readSince(
  database: Pick<Database, 'query'>,
  schemas: readonly string[],
): Promise<Since> {
  const { rows } = await database.query<{ [Fact in keyof Since]: boolean }>(
    `SELECT ${HAS_HIDDEN_CALLS} AS "hasHiddenCalls",
       EXISTS (SELECT FROM unnest($1::text[]) s (name) WHERE tenantctl.is_other_tenants(s.name)) AS "reachesTenants"`,
    [schemas],
  );
  return rows[0] ?? { hasHiddenCalls: true, reachesTenants: true };
}

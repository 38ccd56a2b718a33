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

/** Whether that is so now, for texts that were recorded earlier. */
export async function readHiddenCalls(database: Pick<Database, 'query'>): Promise<boolean> {
  const { rows } = await database.query<{ calls: boolean }>(`SELECT ${HAS_HIDDEN_CALLS} AS calls`);
  return rows[0]?.calls !== false;
}

import type { Database } from '../../db/database.ts';

/**
 * SQL for how others could put their own texts into the kept recordings, one row `reason` each. Whoever owns the
 * schema tenantctl, or is a superuser, has other ways.
 */
export const DISTRUST = `
  SELECT r.reason FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
    SELECT 'belongs to ' || pg_get_userbyid(c.relowner) AS reason
    WHERE c.relowner <> n.nspowner AND NOT EXISTS (
      SELECT FROM pg_roles o WHERE o.oid = c.relowner AND (o.rolsuper OR o.rolname = current_user))
    UNION ALL SELECT 'is not a plain table'
    WHERE c.relkind <> 'r' OR EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
    UNION ALL SELECT 'has rules or policies' WHERE c.relhasrules OR c.relrowsecurity
    UNION ALL SELECT 'has the trigger ' || t.tgname FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    UNION ALL SELECT format('may be changed by %s (%s)',
      CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee) END,
      string_agg(DISTINCT a.privilege_type, ', '))
    FROM (
      SELECT c.relacl AS acl
      UNION ALL SELECT b.attacl FROM pg_attribute b WHERE b.attrelid = c.oid AND b.attacl IS NOT NULL) given,
      aclexplode(given.acl) a
    WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER') AND a.grantee <> c.relowner
      AND NOT EXISTS (
        SELECT FROM pg_roles o WHERE o.oid = a.grantee AND (o.rolsuper OR o.rolname = current_user))
    GROUP BY a.grantee) r
  WHERE n.nspname = 'tenantctl' AND c.relname = 'recordings'`;

/** How others could change the kept recordings: they are not used then. */
export async function readDistrust(database: Pick<Database, 'query'>): Promise<string[]> {
  const { rows } = await database.query<{ reason: string }>(DISTRUST);
  return rows.map(({ reason }) => reason);
}

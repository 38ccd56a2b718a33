/** A LATERAL join forces an index scan: the catalog is never read as a whole. */
export function each(catalog: string, alias: string, condition: string): string {
  return `LATERAL (SELECT ${alias}.* FROM pg_catalog.${catalog} ${alias} WHERE ${condition} OFFSET 0) ${alias}`;
}

/**
 * SQL for the objects of `tenant_schema` and their parts: catalog and oid. They depend on the schema
 * (https://www.postgresql.org/docs/current/catalog-pg-depend.html); indexes, TOAST tables and row types
 * depend on their tables. Up to version 13 TOAST tables have row types as well.
 */
export const SELECT_OWN_OBJECTS = `WITH named AS MATERIALIZED (
    SELECT d.classid, d.objid AS oid FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_namespace'::regclass
      AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema)
  ), tables AS MATERIALIZED (
    SELECT d.oid FROM named d WHERE d.classid = 'pg_class'::regclass
    UNION ALL SELECT c.reltoastrelid
    FROM named d, ${each('pg_class', 'c', 'c.oid = d.oid AND c.reltoastrelid <> 0')} WHERE d.classid = 'pg_class'::regclass
  ), types AS MATERIALIZED (
    SELECT c.reltype AS oid FROM tables t, ${each('pg_class', 'c', 'c.oid = t.oid')} WHERE c.reltype <> 0
    UNION ALL SELECT oid FROM named WHERE classid = 'pg_type'::regclass
  )
  SELECT classid, oid FROM named WHERE classid <> 'pg_class'::regclass
    UNION ALL SELECT 'pg_class'::regclass, oid FROM tables
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM tables t, ${each('pg_index', 'i', 'i.indrelid = t.oid')}
    UNION ALL SELECT 'pg_class'::regclass, y.typrelid
    FROM named d, ${each('pg_type', 'y', 'y.oid = d.oid AND y.typrelid <> 0')} WHERE d.classid = 'pg_type'::regclass
    UNION ALL SELECT 'pg_cast'::regclass, x.objid FROM types t, ${each('pg_depend', 'x', `x.refclassid = 'pg_type'::regclass AND x.refobjid = t.oid AND x.classid = 'pg_cast'::regclass`)}
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM types t
    UNION ALL SELECT 'pg_type'::regclass, a.typarray FROM types t, ${each('pg_type', 'a', 'a.oid = t.oid')}
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM tables t, ${each('pg_constraint', 'k', 'k.conrelid = t.oid')}
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM types t, ${each('pg_constraint', 'k', 'k.contypid = t.oid')}
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema`;

/** The same as `own` in a WITH. In a routine of its own it is planned once for each session. */
export const OWN = `own AS MATERIALIZED (
               SELECT o.of_class AS class, o.of_oid AS oid FROM tenantctl.own_objects(tenant_schema) o)`;

/** SQL for whether a schema is another tenant's, for the transaction of a migration: see IS_OTHER_TENANTS. */
export function isOtherTenants(column: string, own: string): string {
  return `coalesce(${column} <> ${own} AND tenantctl.is_other_tenants(${column}), false)`;
}

/**
 * SQL for the oid of the extension that an object belongs to: itself, or by what it is a part of. Array and
 * row types and indexes have no dependency on an extension of their own.
 * @param catalog its catalog as regclass, in SQL
 */
export function extensionOf(catalog: string, oid: string): string {
  return `(WITH RECURSIVE whole AS (
      SELECT ${catalog}::oid AS classid, ${oid} AS objid
      UNION SELECT d.refclassid, d.refobjid FROM whole w
      JOIN pg_catalog.pg_depend d ON d.classid = w.classid AND d.objid = w.objid AND d.deptype IN ('e', 'i', 'a')
    ) SELECT w.objid FROM whole w WHERE w.classid = 'pg_catalog.pg_extension'::regclass LIMIT 1)`;
}

/** SQL for how often this session has written rows of a catalog, as the server counts. @param oid in SQL */
export function writesOf(oid: string | number): string {
  return `(pg_stat_get_xact_tuples_inserted(${oid}) + pg_stat_get_xact_tuples_updated(${oid}))`;
}

/** SQL for the largest oid in these catalogs. */
export function largestOid(catalogs: readonly string[]): string {
  const largest = catalogs.map(
    (name) => `(SELECT r.oid::bigint FROM pg_catalog.${name} r ORDER BY r.oid DESC LIMIT 1)`,
  );
  return `greatest(${largest.join(', ')})`;
}

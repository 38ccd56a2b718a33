/** The catalogs that have several rows for each table of each tenant. */
export const LARGEST = ['pg_class', 'pg_attribute', 'pg_type'] as const;

/** A LATERAL join forces an index scan: the catalog is never read as a whole. */
export function each(catalog: string, alias: string, condition: string): string {
  return `LATERAL (SELECT ${alias}.* FROM pg_catalog.${catalog} ${alias} WHERE ${condition} OFFSET 0) ${alias}`;
}

/** SQL for how many rows of a catalog are new (`isNew`: by xmin) and of the schema's objects; needs `own`. */
export function ownRows(
  of: 'pg_class' | 'pg_type',
  catalog: string,
  column: string,
  isNew: (xmin: string) => string,
): string {
  return `(SELECT coalesce(sum((SELECT count(*) FROM pg_catalog.${catalog} r WHERE r.${column} = own.oid AND ${isNew('r.xmin')})), 0)
    FROM own WHERE own.catalog = '${of}')`;
}

/**
 * SQL for the objects of `tenant_schema` and their parts: catalog and oid. They depend on the schema
 * (https://www.postgresql.org/docs/current/catalog-pg-depend.html); indexes, TOAST tables and row types
 * depend on their tables. Up to version 13 TOAST tables have row types as well.
 */
export const SELECT_OWN_OBJECTS = `WITH named AS MATERIALIZED (
    SELECT d.classid::regclass::text AS catalog, d.objid AS oid FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass
      AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema)
  ), relations AS MATERIALIZED (
    SELECT d.oid, c.reltoastrelid
    FROM named d, ${each('pg_class', 'c', 'c.oid = d.oid')} WHERE d.catalog = 'pg_class'
  ), tables AS MATERIALIZED (
    SELECT oid FROM relations UNION ALL SELECT reltoastrelid FROM relations WHERE reltoastrelid <> 0
  ), types AS MATERIALIZED (
    SELECT c.reltype AS oid FROM tables t, ${each('pg_class', 'c', 'c.oid = t.oid')} WHERE c.reltype <> 0
    UNION ALL SELECT oid FROM named WHERE catalog = 'pg_type'
  )
  SELECT catalog, oid FROM named
    UNION SELECT 'pg_class', oid FROM tables
    UNION SELECT 'pg_class', i.indexrelid FROM tables t, ${each('pg_index', 'i', 'i.indrelid = t.oid')}
    UNION SELECT 'pg_class', y.typrelid FROM types t, ${each('pg_type', 'y', 'y.oid = t.oid AND y.typrelid <> 0')}
    UNION SELECT 'pg_cast', x.objid FROM types t, ${each('pg_depend', 'x', `x.refclassid = 'pg_catalog.pg_type'::regclass AND x.refobjid = t.oid AND x.classid = 'pg_catalog.pg_cast'::regclass`)}
    UNION SELECT 'pg_type', oid FROM types
    UNION SELECT 'pg_type', a.typarray FROM types t, ${each('pg_type', 'a', 'a.oid = t.oid')}
    UNION SELECT 'pg_constraint', k.oid FROM tables t, ${each('pg_constraint', 'k', 'k.conrelid = t.oid')}
    UNION SELECT 'pg_constraint', k.oid FROM types t, ${each('pg_constraint', 'k', 'k.contypid = t.oid')}
    UNION SELECT 'pg_namespace', n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema`;

/** The same as `own` in a WITH. In a routine of its own it is planned once for each session. */
export const OWN = `own AS MATERIALIZED (
               SELECT o.of_catalog AS catalog, o.of_oid AS oid FROM tenantctl.own_objects(tenant_schema) o)`;

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

/** SQL for how many rows this transaction wrote into a catalog, from the server's statistics. */
export function writesOf(name: string): string {
  return `(SELECT pg_stat_get_xact_tuples_inserted(c) + pg_stat_get_xact_tuples_updated(c) FROM CAST('pg_catalog.' || ${name} AS regclass) c)`;
}

/** SQL for the largest oid in these catalogs. */
export function largestOid(catalogs: readonly string[]): string {
  const largest = catalogs.map(
    (name) => `(SELECT r.oid::bigint FROM pg_catalog.${name} r ORDER BY r.oid DESC LIMIT 1)`,
  );
  return `greatest(${largest.join(', ')})`;
}

import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { HISTORY_TRIGGER } from '../stamps/history-trigger.ts';
import { lockTableOf } from '../target/history.ts';
import { columnParts } from './column-parts.ts';
import { constraintParts } from './constraint-parts.ts';
import { GRANT_PARTS } from './grant-parts.ts';
import { selectPart, type Part } from './part.ts';
import { ROUTINE_PARTS } from './routine-parts.ts';
import { SEQUENCE_PARTS } from './sequence-parts.ts';
import { TABLE_PARTS } from './table-parts.ts';
import { typeParts } from './type-parts.ts';

/**
 * SQL for the statements that create the objects of a schema: kind, name, sql, table, place. The first row is the imprint
 * of them all; an absent schema has no row. The others are left out where `wanted` is false.
 *
 * The query itself is planned once, under the search path of its session. When it runs, it first sets the search path
 * to the schema alone, so that PostgreSQL's functions print names of the schema without it. pg_catalog is searched
 * before it, so that no object of the schema can take part in the functions' own queries. pg_temp comes last, where no
 * temporary table hides the schema's.
 * @param schema a bound value or a parameter, as `wanted` is
 */
export function shapeQuery(names: Names, serverMajor: number, schema: string, wanted: string): string {
  const parts = [
    ...typeParts(serverMajor),
    ...SEQUENCE_PARTS,
    ...TABLE_PARTS,
    ...columnParts(serverMajor),
    ...constraintParts(serverMajor),
    ...ROUTINE_PARTS,
    ...WHOLE,
  ];
  return `WITH ${sources(names, serverMajor, schema)},
    made AS MATERIALIZED (${parts.map(selectPart).join('\n UNION ALL ')}),
    further AS (${[...ABOUT, ...GRANT_PARTS].map(selectPart).join('\n UNION ALL ')}),
    whole AS MATERIALIZED (
      SELECT kind, name, sql, "table", place FROM made WHERE sql IS NOT NULL
      UNION ALL SELECT kind, name, sql, "table", place FROM further)
    SELECT '${IMPRINT}' AS kind, ${IMPRINT_OF} AS name, NULL::text AS sql, NULL::text AS "table", 0 AS place FROM space s
    UNION ALL SELECT w.* FROM whole w WHERE ${wanted}`;
}

/** The kind of the row that has the imprint. */
export const IMPRINT = 'imprint';

/**
 * SQL for a digest of the rows of `whole`: schemas with equal imprints have equal shapes, so that of many schemas only one
 * is to be read. The schema's own name is left out where `toShape` surely replaces it: as a whole word of a statement in
 * ASCII. Elsewhere it makes the imprint the schema's own, which costs a reading.
 */
const IMPRINT_OF = String.raw`(SELECT encode(sha256(convert_to(coalesce(string_agg(
      concat_ws('|', length(w.kind), length(w.name), length(w.sql), w.kind, w.name, w.sql), '|'
      ORDER BY w.kind COLLATE "C", coalesce(w."table", w.name) COLLATE "C", w.place, w.name COLLATE "C"), ''), getdatabaseencoding())), 'hex')
    FROM (SELECT w.kind, w.name, w."table", w.place, CASE WHEN strpos(w.sql, s.nspname) + strpos(w.sql, replace(s.nspname, '"', '""')) + strpos(w.sql, chr(1)) = 0 THEN w.sql
        WHEN s.nspname ~ '^[a-z_][a-z0-9_]*$' AND w.sql COLLATE "C" !~ '[^\u0002-\u007f]'
          THEN regexp_replace(w.sql, '(?<![A-Za-z0-9_$])' || s.nspname || '(?![A-Za-z0-9_$])', chr(1), 'g')
        ELSE s.nspname || w.sql END AS sql FROM whole w) w)`;

/** About the schema itself. Its name and owner belong to the tenant, and are not part of the shape. */
const WHOLE: readonly Part[] = [
  {
    kind: `'schema'`,
    name: `'tenant_schema'`,
    sql: 'NULL::text',
    from: 'space s',
    object: ['pg_namespace', 's.oid', `'SCHEMA tenant_schema'`],
  },
  {
    kind: `'extension'`,
    name: 'quote_ident(e.extname)',
    sql: `'CREATE EXTENSION ' || quote_ident(e.extname)`,
    from: `space s JOIN pg_extension e ON e.extnamespace = s.oid`,
    object: ['pg_extension', 'e.oid', `'EXTENSION ' || quote_ident(e.extname)`],
  },
];

/** An object's target, with its kind in lower case. */
const TARGET = `lower(substring(m.target FROM '^(?:[A-Z]+ )+')) || regexp_replace(m.target, '^(?:[A-Z]+ )+', '')`;

/**
 * The options that somebody has set for a column. Newer minor releases of PostgreSQL (15.20 is one) note there when the
 * column got its type, as pg_attver=<number>: it differs for each table, and nobody can set it.
 */
const GIVEN_OPTIONS = String.raw`CASE WHEN a.attoptions IS NOT NULL
          THEN nullif(ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'), '{}') END`;

/** About what was made, of every kind. */
const ABOUT: readonly Part[] = [
  {
    kind: `'comment'`,
    name: `'on ' || ${TARGET}`,
    sql: `'COMMENT ON ' || m.target || ' IS ' || quote_literal(d.description)`,
    from: `made m JOIN pg_description d ON d.objoid = m.objid AND d.classoid = m.classid AND d.objsubid = m.objsubid`,
  },
  {
    kind: `'security label'`,
    name: `d.provider || ' on ' || ${TARGET}`,
    sql: `'SECURITY LABEL FOR ' || quote_ident(d.provider) || ' ON ' || m.target || ' IS ' || quote_literal(d.label)`,
    from: `made m JOIN pg_seclabel d ON d.objoid = m.objid AND d.classoid = m.classid AND d.objsubid = m.objsubid`,
  },
  {
    kind: `'extension dependency'`,
    name: `'of ' || ${TARGET} || ' on ' || quote_ident(e.extname)`,
    sql: `'ALTER ' || m.target || ' DEPENDS ON EXTENSION ' || quote_ident(e.extname)`,
    from: `made m JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.objid AND d.deptype = 'x'
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
      WHERE m.objsubid = 0`,
  },
  {
    kind: `'owner'`,
    name: `'of ' || m.target`,
    sql: `'ALTER ' || m.target || ' OWNER TO ' || quote_ident(pg_get_userbyid(m.owner))`,
    from: 'space s JOIN made m ON m.owner <> s.nspowner',
  },
];

/**
 * The objects of the schema, without those of extensions, the functions of range types, and the history tables with the
 * function of their trigger. pg_depend has an index on the schema, the catalogs have none.
 */
function sources(names: Names, serverMajor: number, schema: string): string {
  const history = [names.tenantHistory, lockTableOf(names.tenantHistory)].map(literal).join(', ');
  const compression = serverMajor < 14 ? '' : 'a.attcompression, ';
  return `space AS MATERIALIZED (
      SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_namespace n
      WHERE n.nspname = ${schema} AND set_config('search_path', quote_ident(n.nspname) || ', pg_temp', true) <> ''),
    members AS MATERIALIZED (
      SELECT d.classid, d.objid FROM space s
        JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = s.oid AND d.deptype = 'n'
      WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid
        AND (e.deptype = 'e' OR e.deptype = 'i' AND d.classid = 'pg_proc'::regclass))),
    kept AS MATERIALIZED (
      SELECT c.*, EXISTS (SELECT FROM pg_depend d WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
                            AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i') AS is_identity
      FROM members m JOIN pg_class c ON c.oid = m.objid AND c.relname NOT IN (${history})
      WHERE m.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class h ON h.oid = d.refobjid AND h.relname IN (${history})
                        WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))),
    rels AS MATERIALIZED (
      SELECT k.*, k.word || ' ' || k.name AS target,
        'ALTER ' || k.word || CASE WHEN k.relkind IN ('r', 'p', 'f') THEN ' ONLY ' ELSE ' ' END || k.name AS alter
      FROM (SELECT k.*, quote_ident(k.relname) AS name, CASE k.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
          WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS word FROM kept k) k),
    atts AS MATERIALIZED (
      SELECT a.attrelid, a.attnum, a.attname, quote_ident(a.attname) AS name, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
        a.attidentity, a.attgenerated, a.attfdwoptions, a.attstorage, ${compression}a.attstattarget, ${GIVEN_OPTIONS} AS attoptions, a.attacl,
        r.relname, r.name AS rel, r.relkind, r.relpersistence, r.alter, r.relowner
      FROM rels r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE r.relkind <> 'S'),
    indexes AS MATERIALIZED (
      SELECT c.oid, c.relname, quote_ident(c.relname) AS name, c.reloptions, c.reltablespace, i.indisvalid, i.indisclustered, r.name AS rel,
        EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) AS has_constraint
      FROM rels r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid),
    stored AS (
      SELECT r.name, r.alter, r.reloptions, r.reltablespace, r.reltoastrelid FROM rels r WHERE r.relkind IN ('r', 'p', 'm', 'f')
      UNION ALL SELECT i.name, 'ALTER INDEX ' || i.name, i.reloptions, i.reltablespace, 0 FROM indexes i),
    types AS MATERIALIZED (
      SELECT y.*, quote_ident(y.typname) AS name FROM members m JOIN pg_type y ON y.oid = m.objid
      WHERE m.classid = 'pg_type'::regclass AND y.typtype <> 'm'),
    functions AS MATERIALIZED (
      SELECT f.oid, f.proname, f.prokind, f.proowner, f.proacl, f.proparallel, f.oid::regprocedure::text AS name,
        CASE f.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS word
      FROM members m JOIN pg_proc f ON f.oid = m.objid AND NOT starts_with(f.proname, '${HISTORY_TRIGGER}_')
      WHERE m.classid = 'pg_proc'::regclass)`;
}

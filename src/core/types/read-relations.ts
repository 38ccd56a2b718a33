import type { Database } from '../../db/database.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf } from '../target/history.ts';

/** A type of PostgreSQL; of an array, its element's. */
export interface PgType {
  readonly schema: string;
  readonly name: string;
  /** Of an enum, in its order; null for other types. */
  readonly labels: readonly string[] | null;
}

export interface Column {
  readonly name: string;
  readonly comment: string | null;
  /** Behind all domains. */
  readonly type: PgType;
  readonly isArray: boolean;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** Generated, or of a view that cannot be written. */
  readonly isReadOnly: boolean;
}

/** A table or a view. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly comment: string | null;
  readonly columns: readonly Column[];
}

interface Row extends Omit<Relation, 'columns'> {
  /** Null if the relation has no columns. */
  readonly column: Column | null;
}

/**
 * The relations of a tenant's schema and of the schemas that belong to no tenant, by name; columns by name. Left out
 * are partitions, history and lock tables, and what belongs to an extension or to tenantctl. One query.
 */
export async function readRelations(database: Database, tenantSchema: string): Promise<readonly Relation[]> {
  const { masterHistory, tenantHistory } = database.names;
  const { rows } = await database.query<Row>(relationsQuery(database), [
    tenantSchema,
    [tenantHistory, lockTableOf(tenantHistory)],
    [masterHistory, lockTableOf(masterHistory)],
  ]);
  const relations = Map.groupBy(rows, ({ schema, name }) => JSON.stringify([schema, name]));
  return [...relations.values()].flatMap((group) => {
    const columns = group.flatMap(({ column }) => column ?? []);
    return group.slice(0, 1).map(({ schema, name, comment }) => ({ schema, name, comment, columns }));
  });
}

/**
 * The driver learns the type behind a domain, and reads an array of a domain as text:
 * https://www.postgresql.org/docs/current/protocol-message-formats.html (RowDescription)
 */
function relationsQuery({ names }: Database): string {
  const registry = registrySql(names);
  return `
    WITH RECURSIVE relations AS (
      SELECT c.oid, c.relkind, n.nspname AS schema, c.relname AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tenantctl')
        AND (n.nspname = $1 OR NOT EXISTS (SELECT FROM ${registry.table} t WHERE t.${registry.schema}::text = n.nspname))
        AND NOT (n.nspname = $1 AND c.relname = ANY ($2::text[]))
        AND NOT (n.nspname = 'public' AND c.relname = ANY ($3::text[]))
        AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ), columns AS (
      SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull, a.atthasdef, a.attidentity,
             a.attgenerated <> '' OR a.attidentity = 'a'
             OR r.relkind IN ('v', 'm') AND NOT pg_column_is_updatable(r.oid, a.attnum, true) AS "isReadOnly"
      FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), bases AS (
      SELECT DISTINCT atttypid AS type, atttypid AS base, false AS "notNull", false AS "hasDefault" FROM columns
      UNION ALL
      SELECT b.type, t.typbasetype, b."notNull" OR t.typnotnull, b."hasDefault" OR t.typdefault IS NOT NULL
      FROM bases b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
    )
    SELECT r.schema, r.name, obj_description(r.oid, 'pg_class') AS comment,
      CASE WHEN c.attnum IS NOT NULL THEN json_build_object(
        'name', c.attname,
        'comment', col_description(r.oid, c.attnum),
        'type', json_build_object(
          'schema', vn.nspname,
          'name', v.typname,
          'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = v.oid)),
        'isArray', t.typcategory = 'A',
        'isNullable', NOT (c.attnotnull OR b."notNull"),
        'hasDefault', c.atthasdef OR c.attidentity <> '' OR b."hasDefault",
        'isReadOnly', c."isReadOnly") END AS column
    FROM relations r
      LEFT JOIN columns c ON c.attrelid = r.oid
      LEFT JOIN bases b ON b.type = c.atttypid
      LEFT JOIN pg_type t ON t.oid = b.base
      LEFT JOIN pg_type v ON v.oid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
      LEFT JOIN pg_namespace vn ON vn.oid = v.typnamespace
    WHERE t.typtype IS DISTINCT FROM 'd'
    ORDER BY r.schema COLLATE "C", r.name COLLATE "C", c.attname COLLATE "C"`;
}

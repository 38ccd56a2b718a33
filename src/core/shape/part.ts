/**
 * A SELECT of the statements that create one kind of object. All but `kind` are SQL expressions over `from`, which
 * joins the CTEs of shape-query.ts.
 */
export interface Part {
  /** A kind, or an expression if `kinds` are several. */
  readonly kind: string;
  readonly name: string;
  /** The statement without its semicolon; NULL if the object is part of another one's statement. */
  readonly sql: string;
  readonly from: string;
  /** For comments: the object's catalog, oid and column, and how COMMENT ON names it. */
  readonly object?: readonly [catalog: string, oid: string, target: string, column?: string];
  readonly owner?: string;
  /** Of a column. */
  readonly table?: string;
  /** The order among columns of a table. */
  readonly place?: string;
}

/** SQL for a kind that is always the same. */
export function kind(word: string): string {
  return `'${word}'`;
}

export function selectPart(part: Part): string {
  const { object = [], owner = 'NULL::oid', table = 'NULL::text', place = '0' } = part;
  const [catalog, oid = 'NULL::oid', target = 'NULL::text', column = '0'] = object;
  return `SELECT ${part.kind} AS kind, ${part.name} AS name, ${part.sql} AS sql, ${table} AS "table",
      ${place}::int AS place, ${catalog === undefined ? 'NULL::oid' : `'${catalog}'::regclass::oid`} AS classid,
      ${oid} AS objid, ${column}::int AS objsubid, ${target} AS target, ${owner} AS owner
    FROM ${part.from}`;
}

/** SQL for `text` where `condition` holds, else an empty string. */
export function when(condition: string, text: string): string {
  return `CASE WHEN ${condition} THEN ${text} ELSE '' END`;
}

/** SQL for the name of a collation, as the search path needs it. */
export function collationName(oid: string): string {
  return `(SELECT ${when('NOT pg_collation_is_visible(l.oid)', `quote_ident(n.nspname) || '.'`)} || quote_ident(l.collname)
    FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = ${oid})`;
}

/** SQL for COLLATE, if a column or domain has another collation than its type. */
export function collate(collation: string, ofType: string): string {
  return when(
    `${collation} <> 0 AND ${collation} <> ${ofType}`,
    `' COLLATE ' || ${collationName(collation)}`,
  );
}

/** SQL for the "key=value" of an array of options, as SET and WITH take them. */
export function storageParameters(options: string, prefix = ''): string {
  return `(SELECT string_agg('${prefix}' || split_part(o, '=', 1) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ' ORDER BY o)
    FROM unnest(${options}) o)`;
}

/** SQL for OPTIONS of something foreign. */
export function foreignOptions(options: string): string {
  return when(
    `${options} IS NOT NULL`,
    `' OPTIONS (' || (SELECT string_agg(quote_ident(split_part(o, '=', 1)) || ' ' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ' ORDER BY o)
      FROM unnest(${options}) o) || ')'`,
  );
}

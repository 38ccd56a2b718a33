import { escapeIdentifier, escapeLiteral } from 'pg';

/**
 * External names reach SQL only as bound values or through these two functions of the driver.
 * Rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export const identifier: (name: string) => string = escapeIdentifier;
export const literal: (value: string) => string = escapeLiteral;

/** A quoted, schema-qualified name. */
export function qualified(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`;
}

/** Reserved words: https://www.postgresql.org/docs/current/sql-keywords-appendix.html */
const RESERVED = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
  concurrently constraint create cross current_catalog current_date current_role current_schema current_time
  current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
  full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
  localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning right
  select session_user similar some symmetric system_user table tablesample then to trailing true union unique user using
  variadic verbose when where window with`.split(/\s+/),
);

/** A name as PostgreSQL prints it: quoted only if necessary. */
export function readable(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : identifier(name);
}

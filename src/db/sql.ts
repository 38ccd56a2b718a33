import { escapeIdentifier, escapeLiteral } from 'pg';

/**
 * Names from outside reach SQL as bound values or through these two, which are the driver's own.
 * PostgreSQL's rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export const identifier: (name: string) => string = escapeIdentifier;
export const literal: (value: string) => string = escapeLiteral;

/** A schema-qualified, quoted name. */
export function qualified(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`;
}

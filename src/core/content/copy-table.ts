import { identifier, qualified } from '../../db/sql.ts';
import type { ContentTable } from './content.ts';

/**
 * COPY of a table's own rows, in text format. Without a list, COPY takes all columns that are not generated, which
 * also serves a table that has none: https://www.postgresql.org/docs/current/sql-copy.html
 */
export function copyOutStatement(schema: string, table: ContentTable): string {
  return `COPY ${named(schema, table)} TO STDOUT`;
}

/** COPY writes values of GENERATED ALWAYS AS IDENTITY as given. */
export function copyInStatement(schema: string, table: ContentTable): string {
  return `COPY ${named(schema, table)} FROM STDIN`;
}

function named(schema: string, { name, columns }: ContentTable): string {
  const list = columns.length === 0 ? '' : ` (${columns.map(identifier).join(', ')})`;
  return `${qualified(schema, name)}${list}`;
}

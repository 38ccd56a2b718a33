import type { PoolClient } from 'pg';
import type { Column } from '../../db/read-pages.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { ORGANIZATION, type ReportColumn } from './report-table.ts';

/** Oid in pg_type. */
const TEXT = { type: 25, shown: 'text' };

type StoredType = Pick<ReportColumn, 'type' | 'shown'>;

/**
 * The types that a table needs for the columns of tenants' answers: the same, without length or precision. Text replaces
 * types that belong to a tenant's schema, and would be dropped with it; types whose values mean something else under
 * another search path, such as regclass; and pseudo-types, such as record.
 */
export function createColumnTypes(client: PoolClient, names: Names) {
  const known = new Map<number, StoredType>();
  const unknownOf = (columns: readonly Column[]) =>
    columns.map(({ type }) => type).filter((type) => !known.has(type));
  return {
    areUnknown: (columns: readonly Column[]) => unknownOf(columns).length > 0,
    async read(columns: readonly Column[]): Promise<void> {
      const asked = unknownOf(columns);
      for (const type of asked) known.set(type, TEXT);
      const { rows } = await client.query<StoredType>(typesToStore(names), [asked]);
      for (const { type, shown } of rows) known.set(type, { type, shown });
    },
    /** With the organization first. */
    of: (columns: readonly Column[]): ReportColumn[] => [
      { name: ORGANIZATION, ...TEXT },
      ...columns.map(({ name, type }) => ({ name, ...(known.get(type) ?? TEXT) })),
    ],
  };
}

/** Of the types $1, those that a shared table can have. Of an array, its elements decide. */
function typesToStore(names: Names): string {
  const registry = registrySql(names);
  return `SELECT t.oid AS type, format_type(t.oid, -1) AS shown
    FROM pg_type t
    JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
    JOIN pg_namespace n ON n.oid = e.typnamespace
    WHERE t.oid = ANY ($1::oid[]) AND e.typtype <> 'p' AND NOT (n.nspname = 'pg_catalog' AND e.typname ~ '^reg')
      AND NOT EXISTS (SELECT FROM ${registry.table} r WHERE r.${registry.schema}::text = n.nspname::text)`;
}

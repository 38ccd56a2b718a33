import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { qualified } from '../../db/sql.ts';
import { LOCK_ENDING } from '../../names.ts';
import { listed } from '../../wording.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';

/** History tables of Knex under a name that is not configured. */
export interface OtherHistory {
  readonly table: string;
  readonly inPublic: boolean;
  /** An example schema with such a table. */
  readonly schema: string;
  readonly schemas: number;
  /** The migrations recorded in the example. */
  readonly names: readonly string[];
}

/**
 * SELECT of Knex's history tables, found by its lock table and its columns
 * (knex/lib/migrations/migrate/table-creator.js).
 */
export const KNEX_HISTORIES = `
  SELECT n.oid AS namespace, n.nspname::text AS schema, h.relname::text AS table
  FROM pg_class l
  JOIN pg_namespace n ON n.oid = l.relnamespace
  JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = left(l.relname, -length('${LOCK_ENDING}')) AND h.relkind IN ('r', 'p')
  WHERE l.relname LIKE '%\\${LOCK_ENDING}' AND l.relkind IN ('r', 'p')
    AND n.nspname !~ '^pg_' AND n.nspname <> 'tenantctl'
    AND 4 = (SELECT count(*) FROM pg_attribute a
             WHERE a.attrelid = h.oid AND a.attnum > 0 AND a.attname IN ('id', 'name', 'batch', 'migration_time'))`;

/** Histories in schemas that have none under the configured name; the most frequent come first. */
export async function readOtherHistories(database: Database): Promise<OtherHistory[]> {
  const { masterHistory, tenantHistory } = database.names;
  const { rows } = await database.query<Omit<OtherHistory, 'names'> & QueryResultRow>(
    `SELECT k.table, k.schema = 'public' AS "inPublic", min(k.schema) AS schema, count(*)::int AS schemas
     FROM (${KNEX_HISTORIES}) k
     WHERE NOT EXISTS (SELECT FROM pg_class own WHERE own.relnamespace = k.namespace
                       AND own.relname = CASE k.schema WHEN 'public' THEN $1 ELSE $2 END)
     GROUP BY 1, 2 ORDER BY 2 DESC, 4 DESC, 1 LIMIT 20`,
    [masterHistory, tenantHistory],
  );
  const found: OtherHistory[] = [];
  for (const row of rows) found.push({ ...row, names: await readNames(database, row) });
  return found;
}

/** Empty without the right to read it. */
async function readNames(
  database: Database,
  { schema, table }: Pick<OtherHistory, 'schema' | 'table'>,
): Promise<string[]> {
  try {
    const { rows } = await database.query<{ name: string }>(
      `SELECT name::text FROM ${qualified(schema, table)} WHERE name IS NOT NULL`,
    );
    return rows.map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Whether these files may continue the history. If none of them is recorded, it is another program's. Pure. */
export function continues(folder: MigrationFolder | undefined, { names }: OtherHistory): boolean {
  if (folder === undefined || folder.files.length === 0) return true;
  const recorded = new Set(names.map(stemOf));
  return folder.files.some(({ stem }) => recorded.has(stem));
}

/** "public.knex_migrations, tid_a.knex_migrations and 30 more". Pure. */
export function placesOf(others: readonly OtherHistory[]): string {
  return listed(
    others.map(
      ({ table, schema, schemas }) => `${schema}.${table}${schemas > 1 ? ` and ${schemas - 1} more` : ''}`,
    ),
  );
}

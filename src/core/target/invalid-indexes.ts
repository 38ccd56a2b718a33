import { qualified } from '../../db/sql.ts';
import type { InvalidIndex } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

/**
 * Left by a failed CREATE INDEX CONCURRENTLY
 * (https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY). Excludes
 * indexes being built, and partitioned ones, which become valid with their partitions.
 */
export async function readInvalidIndexes(
  connection: Pick<Database, 'query'>,
  schemas: readonly string[],
): Promise<InvalidIndex[]> {
  if (schemas.length === 0) return [];
  const { rows } = await connection.query<{ schema: string; name: string; table: string }>(
    `SELECT n.nspname AS schema, i.relname AS name, t.relname AS table
     FROM pg_namespace n
     JOIN pg_class i ON i.relnamespace = n.oid AND i.relkind = 'i'
     JOIN pg_index x ON x.indexrelid = i.oid AND NOT x.indisvalid
     JOIN pg_class t ON t.oid = x.indrelid
     WHERE n.nspname = ANY ($1)
       AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND p.index_relid = i.oid)
     ORDER BY 1, 2`,
    [schemas],
  );
  return rows.map((row) => ({
    ...row,
    remedy: `DROP INDEX CONCURRENTLY ${qualified(row.schema, row.name)};`,
  }));
}

/** The indexes named in these statements: IF NOT EXISTS accepts an INVALID index. */
export function namedIn(indexes: readonly InvalidIndex[], texts: readonly string[]): InvalidIndex[] {
  const all = texts.join('\n').toLowerCase();
  return indexes.filter(({ name }) => all.includes(name.toLowerCase()));
}

/** For example "index notes_a of table notes". */
export function listedIndexes(indexes: readonly InvalidIndex[]): string {
  return indexes.map(({ name, table }) => `${name} of table ${table}`).join(', ');
}

import { literal, qualified } from '../../db/sql.ts';
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

/**
 * Selects the names of a schema's indexes that these statements may name and that are INVALID, perhaps because they
 * are being built. By their names the server finds them without reading its whole catalog.
 * @returns no statement if they name no index
 */
export function selectInvalidNamed(schema: string, texts: readonly string[]): string[] {
  const names = [...new Set(texts.flatMap(wordsOf))].map(literal);
  if (names.length === 0) return [];
  const select = `SELECT i.relname AS name
    FROM pg_catalog.pg_class i JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid AND NOT x.indisvalid
    WHERE i.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema)})
      AND i.relname = ANY (ARRAY[${names.join(', ')}]::pg_catalog.name[])`;
  return [select];
}

/** The words of a text about an index that may be names, as the server stores them. */
function wordsOf(text: string): string[] {
  if (!/index/i.test(text)) return [];
  return [...text.matchAll(/"((?:[^"]|"")+)"|[\p{L}_][\p{L}\p{N}_$]*/gu)].map(
    ([word, quoted]) => quoted?.replaceAll('""', '"') ?? word.toLowerCase(),
  );
}

/** For example "index notes_a of table notes". */
export function listedIndexes(indexes: readonly InvalidIndex[]): string {
  return indexes.map(({ name, table }) => `${name} of table ${table}`).join(', ');
}

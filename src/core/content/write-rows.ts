import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { parseCopyLine } from '../../db/copy-in.ts';
import type { Database } from '../../db/database.ts';
import { identifier, literal, qualified } from '../../db/sql.ts';
import type { ContentTable } from './content.ts';
import { copyInStatement } from './copy-table.ts';

/** Where rows are written to. */
export interface RowsTarget {
  readonly client: PoolClient;
  readonly schema: string;
  readonly table: ContentTable;
}

/**
 * Writes COPY data in text format into a table, with one statement. A server that takes no COPY gets one INSERT, for
 * which all rows are held in memory.
 */
export async function writeRows(
  { acceptsCopy }: Pick<Database, 'acceptsCopy'>,
  { client, schema, table }: RowsTarget,
  rows: Readable,
): Promise<void> {
  if (acceptsCopy) {
    await pipeline(rows, client.query(copyFrom(copyInStatement(schema, table))));
    return;
  }
  const lines = (await text(rows)).split('\n').slice(0, -1);
  if (lines.length > 0) await client.query(insertStatement(schema, table, lines));
}

/** PostgreSQL reads the literals of an INSERT … VALUES for the types of the columns, as COPY does. */
function insertStatement(schema: string, { name, columns }: ContentTable, lines: readonly string[]): string {
  const into = `INSERT INTO ${qualified(schema, name)}`;
  if (columns.length === 0) return `${into} SELECT FROM generate_series(1, ${lines.length})`;
  const row = (line: string) =>
    `(${parseCopyLine(line)
      .map((value) => (value === null ? 'NULL' : literal(value)))
      .join(', ')})`;
  return `${into} (${columns.map(identifier).join(', ')}) OVERRIDING SYSTEM VALUE VALUES ${lines.map(row).join(', ')}`;
}

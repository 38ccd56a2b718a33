import type { ClientBase, QueryResult } from 'pg';

/** Values as the server sends them, whatever parsers the application has set. */
const RAW = { getTypeParser: () => (value: unknown) => value };

/**
 * Sends a string of statements that have no bound values.
 * @returns the rows of all of them, with their values as text
 */
export async function queryRaw<Row = Readonly<Record<string, string>>>(
  connection: Pick<ClientBase, 'query'>,
  text: string,
): Promise<Row[]> {
  const answered: unknown = await connection.query({ text, types: RAW });
  return ([answered].flat() as QueryResult[]).flatMap(({ rows }) => rows as Row[]);
}

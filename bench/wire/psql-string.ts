import { loadModule, parseSync } from 'libpg-query';

/**
 * Formats statements so that psql sends them as one simple query: separated by `\;`, with one semicolon at
 * the end. PostgreSQL's own parser finds the statements.
 */
export async function psqlString(text: string): Promise<string> {
  await loadModule();
  // Positions are in UTF-8 bytes and 0 is omitted; the last statement may extend to the end.
  const bytes = Buffer.from(text);
  const statements = (parseSync(text).stmts ?? []).map(({ stmt_location: from = 0, stmt_len: length }) =>
    bytes.subarray(from, length === undefined || length === 0 ? bytes.length : from + length).toString(),
  );
  // A statement may end in a comment, so what follows it is on its own line.
  return `${statements.map((each) => each.trim()).join('\n\\; ')}\n;`;
}

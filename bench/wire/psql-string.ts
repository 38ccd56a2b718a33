import { loadModule, parseSync } from 'libpg-query';

/**
 * Writes a string of statements so that psql, reading it from a file, sends it in one simple query: `\;` between the
 * statements, and one semicolon at the end. PostgreSQL's own parser says where the statements are.
 */
export async function psqlString(text: string): Promise<string> {
  await loadModule();
  // Places and lengths are in bytes of UTF-8, and 0 is left out; the last statement may go on to the end.
  const bytes = Buffer.from(text);
  const statements = (parseSync(text).stmts ?? []).map(({ stmt_location: from = 0, stmt_len: length }) =>
    bytes.subarray(from, length === undefined || length === 0 ? bytes.length : from + length).toString(),
  );
  // The end is on a line of its own, because a text may end in a comment.
  return `${statements.map((each) => each.trim()).join('\\; ')}\n;`;
}

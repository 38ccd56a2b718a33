/** A statement of a schema's dump. */
export interface Statement {
  /** The identifier by which others mention it, unquoted. */
  readonly name: string;
  readonly sql: string;
}

/** Identifiers; and the bodies of functions, which are not looked at before a call. */
const WORD = /"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*)|\$(?<tag>\w*)\$.*?\$\k<tag>\$|'(?:[^']|'')*'/gsu;

/**
 * The statements, with those before it that one mentions, and otherwise as they are: a view after the view that it
 * reads. Two that mention each other stay as they are. Pure.
 */
export function orderStatements(statements: readonly Statement[]): readonly Statement[] {
  const byName = Map.groupBy(statements, ({ name }) => name);
  const ordered = new Set<Statement>();
  const visited = new Set<Statement>();
  const visit = (statement: Statement): void => {
    if (visited.has(statement)) return;
    visited.add(statement);
    for (const [, quoted, plain] of statement.sql.matchAll(WORD)) {
      const word = quoted?.replaceAll('""', '"') ?? plain;
      if (word !== undefined) for (const mentioned of byName.get(word) ?? []) visit(mentioned);
    }
    ordered.add(statement);
  };
  for (const statement of statements) visit(statement);
  return [...ordered];
}

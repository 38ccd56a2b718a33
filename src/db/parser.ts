import type * as LibpgQuery from 'libpg-query';

type Parser = typeof LibpgQuery;
type ParseResult = Awaited<ReturnType<Parser['parse']>>;

let parser: Promise<Parser> | undefined;

/**
 * Parses SQL with PostgreSQL's own parser (https://github.com/pganalyze/libpg_query).
 * @throws the parser's error if the text does not parse
 */
export async function parse(text: string): Promise<ParseResult> {
  parser ??= import('libpg-query');
  return (await parser).parse(text);
}

/**
 * The tokens of an SQL text by PostgreSQL's own lexer: where each begins and ends, in bytes of UTF-8.
 * @throws the lexer's error if a string or comment is not closed
 */
export async function scan(
  text: string,
): Promise<readonly { readonly start: number; readonly end: number }[]> {
  parser ??= import('libpg-query');
  return (await (await parser).scan(text)).tokens;
}

/** A node of the parse tree: an object with one key, its kind, with the fields of libpg-query's protobuf. */
export type Node = Readonly<Record<string, unknown>>;

/** The strings of a list of names. */
export function stringsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: Node) => {
    const value = (item.String as { readonly sval?: string } | undefined)?.sval;
    return value === undefined ? [] : [value];
  });
}

/** Calls `visit` for each node of a tree, with its kind and its fields. */
export function walk(tree: unknown, visit: (kind: string, node: Node) => void, kind = ''): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, visit, kind);
    return;
  }
  if (typeof tree !== 'object' || tree === null) return;
  visit(kind, tree as Node);
  for (const [name, below] of Object.entries(tree)) walk(below, visit, name);
}

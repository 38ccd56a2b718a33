import { exportsOf } from './exports-of.ts';

/** The statements of a text; offsets and lengths are in UTF-8 bytes. */
export interface ParseTree {
  readonly stmts?: readonly {
    readonly stmt?: object;
    readonly stmt_location?: number;
    readonly stmt_len?: number;
  }[];
}

/** The parse tree of a text. @throws the parser's error */
export async function parse(text: string): Promise<ParseTree> {
  const parser = await loadParser();
  return parser.parse(text);
}

async function loadParser() {
  const parser = exportsOf(await import('./packed-parser.ts'));
  await parser.loaded;
  return parser;
}

interface Token {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly tokenName: string;
}

/** The lexer of libpg-query does not escape other control characters in the JSON that it answers with. */
const UNESCAPED = /(?![\n\r\t\u007F-\u009F])\p{Cc}/gu;

/**
 * The tokens of a text, with offsets in UTF-8 bytes. In their texts, a space stands for a control character.
 * @throws the lexer's error, for an unclosed string
 */
export async function scan(text: string): Promise<readonly Token[]> {
  const parser = await loadParser();
  return (await parser.scan(text.replaceAll(UNESCAPED, ' '))).tokens;
}

/** A node of the parse tree: an object with one key, its kind, with the fields of libpg-query's protobuf. */
export type Node = Readonly<Record<string, unknown>>;

export function stringsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: Node) => {
    const value = (item.String as { readonly sval?: string } | undefined)?.sval;
    return value === undefined ? [] : [value];
  });
}

/** Calls `visit` for each node of a tree, with its kind and fields. */
export function walk(tree: unknown, visit: (kind: string, node: Node) => void, kind = ''): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, visit, kind);
    return;
  }
  if (typeof tree !== 'object' || tree === null) return;
  visit(kind, tree as Node);
  for (const [name, below] of Object.entries(tree)) walk(below, visit, name);
}

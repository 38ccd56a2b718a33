import type * as LibpgQuery from 'libpg-query';

type Parser = typeof LibpgQuery;
type ParseResult = Awaited<ReturnType<Parser['parse']>>;

let parser: Promise<Parser> | undefined;

/**
 * Parses SQL with PostgreSQL's own parser (https://github.com/pganalyze/libpg_query).
 * @throws what the parser throws where the text does not parse
 */
export async function parse(text: string): Promise<ParseResult> {
  parser ??= import('libpg-query');
  return (await parser).parse(text);
}

/**
 * The tokens of an SQL text, as PostgreSQL's own lexer cuts them: where each begins and ends, in bytes of UTF-8.
 * @throws what the lexer throws if something is not ended
 */
export async function scan(
  text: string,
): Promise<readonly { readonly start: number; readonly end: number }[]> {
  parser ??= import('libpg-query');
  return (await (await parser).scan(text)).tokens;
}

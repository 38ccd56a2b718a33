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

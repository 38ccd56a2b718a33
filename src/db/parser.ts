import { setFlagsFromString } from 'node:v8';
import type * as LibpgQuery from 'libpg-query';

type Parser = typeof LibpgQuery;
type ParseResult = Awaited<ReturnType<Parser['parse']>>;

/** How much WebAssembly runs before V8 compiles it anew, for speed: as much as the flag can say. */
const LATE = '--wasm-tiering-budget=2147483647';

let parser: Promise<Parser> | undefined;
let runsDatabase = false;

/** To be called where PostgreSQL itself runs in this process, as WebAssembly: it is to be as fast as it can be. */
export function runDatabaseHere(): void {
  runsDatabase = true;
}

/**
 * Parses SQL with PostgreSQL's own parser (https://github.com/pganalyze/libpg_query).
 *
 * V8 would compile the parser, which is one huge function, a second time after some statements. That takes a second of a
 * core and half a gigabyte, and a run has some dozen statements to parse (https://v8.dev/docs/wasm-compilation-pipeline).
 * @throws what the parser throws where the text does not parse
 */
export async function parse(text: string): Promise<ParseResult> {
  parser ??= load();
  return (await parser).parse(text);
}

function load(): Promise<Parser> {
  if (!runsDatabase) setFlagsFromString(LATE);
  return import('libpg-query');
}

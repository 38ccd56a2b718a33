import { loadModule, parseSync } from 'libpg-query';
import { withoutOptimizing } from './unoptimized-wasm.ts';

/** PostgreSQL's parser (https://github.com/pganalyze/libpg_query). The build packs it into one file. */
export { parse, scan } from 'libpg-query';

/** Settles when the parser's grammar is compiled. V8 compiles a function when it is first called. */
export const loaded: Promise<unknown> = loadModule().then(() => withoutOptimizing(() => parseSync('SELECT')));

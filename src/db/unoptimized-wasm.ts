import { execArgv } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { nodeMajor } from '../node-version.ts';

const FLAGS = ['wasm-dynamic-tiering', 'wasm-tier-up'];

/** The latest Node that is known to have these flags. V8 complains on stderr of one that it does not know. */
const LATEST_KNOWN = 26;

/**
 * V8 will not optimize the WebAssembly functions that `first` calls for the first time in the process. PostgreSQL's
 * grammar is a single one: optimizing it takes 0.4 s of CPU and 600 MB of memory, which pays only in a process that
 * parses many megabytes of SQL. V8 reads the flags when it compiles a function, and no other code runs meanwhile.
 */
export function withoutOptimizing<T>(first: () => T): T {
  const flags = Number(nodeMajor) > LATEST_KNOWN || hasOwnFlags() ? [] : FLAGS;
  for (const flag of flags) setFlagsFromString(`--no-${flag}`);
  try {
    return first();
  } finally {
    for (const flag of flags) setFlagsFromString(`--${flag}`);
  }
}

/** Node was started with one of these flags, on or off. NODE_OPTIONS cannot hold them. */
function hasOwnFlags(): boolean {
  return execArgv.some((argument) => FLAGS.some((flag) => argument.endsWith(flag)));
}

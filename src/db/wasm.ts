import { setFlagsFromString } from 'node:v8';

/**
 * Whether and when V8 compiles a function of WebAssembly a second time, for speed
 * (https://v8.dev/docs/wasm-compilation-pipeline). What is set counts for what is compiled from then on, in the whole
 * process.
 *
 * PostgreSQL's grammar is one huge function. Compiling it that way takes two seconds of a core and 350 MB, and V8 would
 * do it after some dozen statements.
 */
const TIERING = {
  never: ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'],
  /** After so many bytes of it have been run that only the longest runs get there. */
  late: ['--wasm-tiering-budget=2147483647'],
  /** After about a second of it. */
  whereItPays: ['--wasm-tier-up', '--wasm-dynamic-tiering', '--wasm-tiering-budget=1000000000'],
} as const;

/** To be called before WebAssembly is loaded. */
export function setTiering(when: keyof typeof TIERING): void {
  for (const flag of TIERING[when]) setFlagsFromString(flag);
}

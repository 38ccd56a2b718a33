import { setFlagsFromString } from 'node:v8';

/**
 * When V8 compiles a function of WebAssembly a second time, for speed: after about so many bytes of it have been run.
 * It counts for what is compiled from now on (https://v8.dev/docs/wasm-compilation-pipeline).
 *
 * PostgreSQL's grammar is one huge function. Compiling it that way takes a second of a core and half a gigabyte, and V8
 * would do it after some dozen statements.
 */
const TIERING = {
  /** Never, for all that a run has to do: the parser alone, which has some dozen texts to parse. */
  late: 2_147_483_647,
  /** What has run for about a second: PostgreSQL itself, which may have little to do or much. */
  whereItPays: 1_000_000_000,
} as const;

/** To be called before WebAssembly is loaded. */
export function setTiering(when: keyof typeof TIERING): void {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING[when]}`);
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { DatabaseSettings } from '../../db/database.ts';

/** An embedded database with about a hundred small tenants exceeds this; a new one has 900 files. */
const MANY_FILES = 2_000;

/**
 * Controls when V8 recompiles WebAssembly functions for speed
 * (https://v8.dev/docs/wasm-compilation-pipeline). PostgreSQL's grammar is one huge function: optimizing it
 * takes two seconds of a core and 350 MB, by default after a few dozen statements.
 *
 * The flags apply to the whole process and to code compiled later, so only the program sets them, never the
 * library: applications have their own WebAssembly.
 */
export async function tuneWebAssembly(database: DatabaseSettings): Promise<void> {
  for (const flag of await flagsFor(database)) setFlagsFromString(flag);
}

async function flagsFor(database: DatabaseSettings): Promise<readonly string[]> {
  // Only the parser uses WebAssembly: only the longest runs exhaust this budget of executed bytes.
  if (database.kind === 'server') return ['--wasm-tiering-budget=2147483647'];
  const base = join(database.directory, 'pgdata', 'base');
  const files = await readdir(base, { recursive: true }).catch(() => []);
  // A run over that many tenants takes at least half a minute; the budget lasts about a second.
  if (files.length > MANY_FILES) return ['--wasm-tiering-budget=1000000000'];
  return ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];
}

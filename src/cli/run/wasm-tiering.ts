import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { DatabaseSettings } from '../../db/database.ts';

/** An embedded database with about a hundred small tenants has more files than this; a new one has 900. */
const MANY_FILES = 2_000;

/**
 * Tells V8 whether and when to compile a WebAssembly function a second time, for speed
 * (https://v8.dev/docs/wasm-compilation-pipeline). PostgreSQL's grammar is one huge function: the second compilation
 * takes two seconds of a core and 350 MB, and by default V8 starts it after some dozen statements.
 *
 * The flags apply to the whole process and to code compiled after the call. So only the program sets them, never the
 * library: an application has WebAssembly of its own.
 */
export async function tuneWebAssembly(database: DatabaseSettings): Promise<void> {
  for (const flag of await flagsFor(database)) setFlagsFromString(flag);
}

async function flagsFor(database: DatabaseSettings): Promise<readonly string[]> {
  // Only the parser: the longest runs alone use up this budget of executed bytes.
  if (database.kind === 'server') return ['--wasm-tiering-budget=2147483647'];
  const base = join(database.directory, 'pgdata', 'base');
  const files = await readdir(base, { recursive: true }).catch(() => []);
  // A run over that many tenants takes half a minute and more; the budget lasts for about a second.
  if (files.length > MANY_FILES) return ['--wasm-tiering-budget=1000000000'];
  return ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];
}

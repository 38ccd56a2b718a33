import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { DatabaseSettings, EmbeddedSettings } from '../../db/database.ts';

/** An embedded database with about a hundred small tenants exceeds this; a new one has 900 files. */
const MANY_FILES = 2_000;

/**
 * Controls when V8 recompiles the functions of an embedded database for speed
 * (https://v8.dev/docs/wasm-compilation-pipeline): optimizing its grammar alone takes two seconds of a core and
 * 350 MB, by default after a few dozen statements.
 *
 * The flags apply to the whole process and to code compiled later, so only the program sets them, never the
 * library: applications have their own WebAssembly.
 */
export async function tuneWebAssembly(database: DatabaseSettings): Promise<void> {
  if (database.kind === 'server') return;
  for (const flag of await flagsFor(database)) setFlagsFromString(flag);
}

async function flagsFor({ directory }: EmbeddedSettings): Promise<readonly string[]> {
  const files =
    directory === undefined
      ? []
      : await readdir(join(directory, 'pgdata', 'base'), { recursive: true }).catch(() => []);
  // A run over that many tenants takes at least half a minute; the budget lasts about a second.
  if (files.length > MANY_FILES) return ['--wasm-tiering-budget=1000000000'];
  return ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];
}

// By default: an application's bundle often has a createRequire of its own at the top.
import module from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const KNEX = 'knex/package.json';

/** The version of the Knex that the files of a folder would import, without loading it; undefined if none. */
export function projectKnexVersion(directory: string): string | undefined {
  const { resolve } = module.createRequire(join(directory, 'migration.js'));
  for (const folder of resolve.paths(KNEX) ?? []) {
    const version = versionIn(() => join(folder, KNEX));
    if (version !== undefined) return version;
  }
  // Without node_modules, as with Yarn's Plug'n'Play. To resolve makes Node remember the project's package.json.
  return versionIn(() => resolve(KNEX));
}

/** Whether a project's Knex of this version can run its migrations: 0.20 and older use their client in another way. */
export function isSupported(version: string): boolean {
  return /^(?:0\.21|0\.95|[123])\./.test(version);
}

function versionIn(find: () => string): string | undefined {
  try {
    return (JSON.parse(readFileSync(find(), 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

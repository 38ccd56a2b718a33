import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** A project's own tenant migrations. */
export interface FolderProject {
  /** The folder with the migrations. */
  readonly folder: string;
  /** The files' names in the order of their application. */
  readonly files: readonly string[];
  /** The nearest folder above with a package.json: every program runs there. */
  readonly root: string;
  /** The project's own Knex, or tenantctl's if the project has none. */
  readonly knex: { readonly path: string; readonly version: string; readonly isOwn: boolean };
  /** Absolute path of the master migrations; the registry alone if absent. */
  readonly master: string | undefined;
  /** Absolute path of an SQL file that is run once in each new database. */
  readonly setup: string | undefined;
}

/** The command line is wrong, or the folder cannot be measured. It is shown without a stack. */
export class FolderUnusable extends Error {
  override readonly name = 'FolderUnusable';
}

/** What tenantctl and Knex take as a migration, but for declarations of types. */
const MIGRATION = /(?<!\.d)\.(?:[cm]?[jt]s|sql)$/;

/** @throws FolderUnusable if it does not exist or holds no migration */
export async function readFolderProject(
  path: string,
  options: { readonly master?: string | undefined; readonly setup?: string | undefined },
): Promise<FolderProject> {
  const folder = await existing('--folder', path);
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory() && MIGRATION.test(entry.name))
    .map(({ name }) => name)
    // Knex sorts by UTF-16 code units as well.
    .toSorted((a, b) => (a < b ? -1 : 1));
  if (files.length === 0)
    throw new FolderUnusable(
      `${folder} holds no migration: no file that ends in .js, .ts, .cjs, .mjs or .sql.`,
    );
  return {
    folder,
    files,
    root: rootOf(folder),
    knex: knexOf(folder),
    master: options.master === undefined ? undefined : await existing('--master', options.master),
    setup: options.setup === undefined ? undefined : await existing('--setup', options.setup),
  };
}

async function existing(option: string, path: string): Promise<string> {
  const absolute = resolve(process.env['INIT_CWD'] ?? process.cwd(), path);
  if (!existsSync(absolute)) throw new FolderUnusable(`${option}: ${absolute} does not exist.`);
  return absolute;
}

function rootOf(folder: string): string {
  for (let at = folder; at !== dirname(at); at = dirname(at))
    if (existsSync(join(at, 'package.json'))) return at;
  return folder;
}

function knexOf(folder: string): FolderProject['knex'] {
  for (const [from, isOwn] of [
    [join(folder, 'migration.js'), true],
    [import.meta.url, false],
  ] as const) {
    const require = createRequire(from);
    try {
      const { version } = require('knex/package.json') as { version: string };
      return { path: require.resolve('knex'), version, isOwn };
    } catch {
      // The next one.
    }
  }
  throw new FolderUnusable('No Knex is installed: run `pnpm install`.');
}

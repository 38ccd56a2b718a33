import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** What an import may lead to. */
export interface Resolved {
  /** Several if loaders disagree: each counts. None if it leads elsewhere, as to a folder. */
  readonly files: readonly string[];
  /** Names without extension, if the import was resolved by listings: a file that is added may be preferred. */
  readonly listed: readonly string[];
}

/** What Node or jiti try after a name without an extension, and what TypeScript writes for another extension. */
const LOADED = /\.(?:[cm]?[jt]s|json)$/;

/**
 * Finds the files to which a relative import may lead, in any way in which Node, as CommonJS or as ES module, or
 * jiti resolves it (https://nodejs.org/api/modules.html#all-together).
 */
export function resolveImport(specifier: string, from: string): Resolved {
  const path = resolve(dirname(from), specifier);
  // The exact name comes first for every loader.
  if (LOADED.test(path) && isFile(path)) return { files: [path], listed: [] };
  const listed = path.replace(/\.[cm]?js$/, '');
  const names = listingOf(listed);
  if (names.length !== 1 || names[0] !== basename(path)) return { files: filesOf(listed), listed: [listed] };
  // A folder. Its package.json may name any file.
  const index = join(path, 'index');
  const files = existsSync(join(path, 'package.json')) ? [] : filesOf(index);
  return { files, listed: [listed, index] };
}

/** The files with a name and an extension that loaders try. None if there is anything else of that name. */
function filesOf(stem: string): string[] {
  const names = listingOf(stem);
  const files = names.map((name) => join(dirname(stem), name)).filter((each) => LOADED.test(each));
  return names.includes(basename(stem)) || !files.every(isFile) ? [] : files;
}

/** The names in a folder that are `stem`, or `stem` with one extension. */
export function listingOf(stem: string): string[] {
  const name = basename(stem);
  try {
    return readdirSync(dirname(stem))
      .filter(
        (each) =>
          each === name || (each.startsWith(`${name}.`) && !each.slice(name.length + 1).includes('.')),
      )
      .sort();
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** What an import may lead to. Several files: loaders disagree, so each of them counts. */
export interface Resolved {
  readonly files: readonly string[];
  /** What was looked through: see listingOf. A file that is added there may be preferred. */
  readonly listings: readonly string[];
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
  if (LOADED.test(path) && isFile(path)) return { files: [path], listings: [] };
  const listings = [path.replace(/\.[cm]?js$/, '')];
  const names = listingOf(listings[0] ?? path);
  let files = names
    .map((name) => join(dirname(path), name))
    .filter((each) => LOADED.test(each) && isFile(each));
  if (isDirectory(path)) {
    // A package.json there may name another file.
    listings.push(join(path, 'package'), join(path, 'index'));
    if (listingOf(join(path, 'package')).includes('package.json')) return { files: [], listings };
    const within = listingOf(join(path, 'index')).map((name) => join(path, name));
    if (files.length === 0 || specifier.endsWith('/')) files = within.filter((each) => LOADED.test(each));
  }
  return { files, listings };
}

/** The names in a folder that are `stem`, or begin with it and a dot, and one of a loader's extensions. */
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

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { listingOf } from './resolve-import.ts';

/** A file, or the names of files, on which a verdict depends. */
export interface CodeFile {
  /** Relative to the folder of the migration, with slashes. `helpers/names.*` stands for the files of that name. */
  readonly path: string;
  /** SHA-256 in hexadecimal; `absent` if there is no such file. */
  readonly digest: string;
}

/** Takes digests of files and keeps them for as long as the files stay as they are. */
export class CodeDigests {
  /** When the process may have begun to load files, in milliseconds since 1970: it may hold an older text of a file. */
  readonly loadedSince: number;

  readonly #known = new Map<string, { readonly stamp: string; readonly digest: string }>();

  constructor({ loadedSince = performance.timeOrigin } = {}) {
    this.loadedSince = loadedSince;
  }

  /** Whether all of this is still as it was. @param folder that of the migration, with its links resolved */
  areUnchanged(files: readonly CodeFile[], folder: string): boolean {
    return files.every(({ path, digest }) => this.#digest(join(folder, path)) === digest);
  }

  describe(path: string, folder: string): CodeFile {
    return { path: relative(folder, path).replaceAll(sep, '/'), digest: this.#digest(path) };
  }

  #digest(path: string): string {
    const isListing = path.endsWith('.*');
    const facts = statSync(isListing ? dirname(path) : path, { bigint: true, throwIfNoEntry: false });
    if (facts === undefined) return 'absent';
    if (facts.isDirectory() !== isListing) return 'directory';
    const stamp = [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join();
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.digest;
    const digest = createHash('sha256')
      .update(isListing ? listingOf(path.slice(0, -2)).join('\n') : readFileSync(path))
      .digest('hex');
    this.#known.set(path, { stamp, digest });
    return digest;
  }
}

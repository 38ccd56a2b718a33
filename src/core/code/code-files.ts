import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { listingOf } from './resolve-import.ts';

/** A file on which a verdict rests, or a part of what is known about it. */
export interface CodeFile {
  /**
   * Relative to the folder of the migration, with slashes. After a file's name: its content. `names.*`: the files to
   * which an import of `names` may lead. `package.json#type`: whether the folder's files are ES modules.
   */
  readonly path: string;
  /** SHA-256 in hexadecimal; `absent` if there is no such file. */
  readonly digest: string;
}

/** Takes digests of files, and keeps them while the files stay as they are. */
export class CodeDigests {
  /** When the process may have begun to load files, in milliseconds since 1970: it may hold an older text of a file. */
  readonly loadedSince: number;

  readonly #known = new Map<string, { readonly stamp: string; readonly digest: string }>();

  constructor({ loadedSince = performance.timeOrigin } = {}) {
    this.loadedSince = loadedSince;
  }

  /**
   * Whether all of this is still as it was.
   * @param folder that of the migration, with its links resolved
   * @param seen the digests of paths that were looked at just before: migrations share files
   */
  areUnchanged(files: readonly CodeFile[], folder: string, seen = new Map<string, string>()): boolean {
    return files.every(({ path: name, digest }) => {
      const path = join(folder, name);
      const now = seen.get(path) ?? this.#digest(path);
      seen.set(path, now);
      return now === digest;
    });
  }

  describe(path: string, folder: string): CodeFile {
    return { path: relative(folder, path).replaceAll(sep, '/'), digest: this.#digest(path) };
  }

  #digest(path: string): string {
    const isListing = path.endsWith('.*');
    const file = isListing ? dirname(path) : path.replace(/#type$/, '');
    const facts = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (facts === undefined) return 'absent';
    if (facts.isDirectory() !== isListing) return 'directory';
    const stamp = [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join();
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.digest;
    const content = isListing ? listingOf(path.slice(0, -2)).join('\n') : readFileSync(file);
    const digest = createHash('sha256')
      .update(path.endsWith('#type') ? typeIn(content) : content)
      .digest('hex');
    // Two changes within one tick of the file system's clock leave the same stamp.
    if (Date.now() - Number(facts.ctimeMs) > TICK_MS) this.#known.set(path, { stamp, digest });
    return digest;
  }
}

/** For Database.remember: all runs share them. */
export function createDigests(): CodeDigests {
  return new CodeDigests();
}

const TICK_MS = 1000;

function typeIn(packageJson: string | Buffer): string {
  try {
    return String((JSON.parse(String(packageJson)) as { readonly type?: unknown } | null)?.type);
  } catch {
    return 'unreadable';
  }
}

import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Database } from '../../db/database.ts';
import { createDigests, type CodeFile } from '../code/code-files.ts';
import type { MigrationFile } from '../files/source.ts';

/** Whether all files that decide about a migration's statements are as they were. */
export type AreUnchanged = (file: MigrationFile, sources: readonly CodeFile[]) => boolean;

/** For migrations that are looked at together: what they share is looked at once. */
export function createAreUnchanged(database: Pick<Database, 'remember'>): AreUnchanged {
  const digests = database.remember(createDigests);
  const folders = new Map<string, string>();
  const seen = new Map<string, string>();
  /** The folder that holds a file; most files of a folder share it. */
  const folderOf = (path: string): string => {
    const directory = dirname(path);
    const folder = folders.get(directory) ?? realpathSync(directory);
    folders.set(directory, folder);
    return folder;
  };
  return (file, sources) => {
    try {
      const path = file.isLink === true ? realpathSync(file.path) : file.path;
      // A link may lead to another file by now.
      return sources[0]?.path === basename(path) && digests.areUnchanged(sources, folderOf(path), seen);
    } catch {
      return false;
    }
  };
}

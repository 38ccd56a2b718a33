import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { isKnexExtended } from '../../db/knex/insides.ts';
import type { Database } from '../../db/database.ts';
import { CodeDigests, type CodeFile } from '../code/code-files.ts';
import { examineCode } from '../code/examine-code.ts';
import type { Migration } from '../files/load.ts';
import { checksumOf, type MigrationFile } from '../files/source.ts';

/** Says what decides about a migration's statements, and whether that is still as it was. */
export interface Sources {
  /** All files that decide; undefined if something else may decide, too. */
  of(migration: Pick<Migration, 'file' | 'checksum'>): Promise<readonly CodeFile[] | undefined>;
  areUnchanged(file: MigrationFile, sources: readonly CodeFile[]): boolean;
}

export function createSources(database: Pick<Database, 'remember'>): Sources {
  const digests = database.remember(createDigests);
  const folders = new Map<string, string>();
  /** The folder that holds a file, with links resolved; most files of a folder share it. */
  const folderOf = ({ path, isLink = false }: MigrationFile): string => {
    if (isLink) return dirname(realpathSync(path));
    const directory = dirname(path);
    const folder = folders.get(directory) ?? realpathSync(directory);
    folders.set(directory, folder);
    return folder;
  };
  return {
    async of({ file, checksum }) {
      const { kind, files } = await examineCode(file, digests);
      const isCode = file.format !== 'sql';
      if (isCode && (kind !== 'pure' || (await isKnexExtended(file.path)))) return undefined;
      // It may have changed since it was loaded.
      return checksumOf(file) === checksum ? files : undefined;
    },
    areUnchanged: (file, sources) => {
      try {
        return digests.areUnchanged(sources, folderOf(file));
      } catch {
        return false;
      }
    },
  };
}

function createDigests(): CodeDigests {
  return new CodeDigests();
}

import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { isKnexExtended } from '../../db/knex/insides.ts';
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

export function createSources(): Sources {
  const digests = new CodeDigests();
  return {
    async of({ file, checksum }) {
      const { kind, files } = await examineCode(file, digests);
      const isCode = file.format !== 'sql';
      if (isCode && (kind !== 'pure' || (await isKnexExtended(file.path)))) return undefined;
      // It may have changed since it was loaded.
      return checksumOf(file) === checksum ? files : undefined;
    },
    areUnchanged: ({ path }, sources) => {
      try {
        return digests.areUnchanged(sources, dirname(realpathSync(path)));
      } catch {
        return false;
      }
    },
  };
}

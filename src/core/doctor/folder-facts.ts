import { readFile } from 'node:fs/promises';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { loadMigration } from '../files/load.ts';
import { readMigrationFolder, type MigrationFile, type MigrationFolder } from '../files/source.ts';

/** What is in a folder of migrations. */
export type FolderFacts = FolderName & (ReadFolder | UnreadableFolder);

interface FolderName {
  readonly directory: string;
  /** A variable names it, so that its absence is a mistake in the configuration. */
  readonly isNamed: boolean;
}

interface ReadFolder {
  readonly folder: MigrationFolder;
  readonly error?: undefined;
  /** Files that cannot be loaded. */
  readonly broken: readonly { readonly file: MigrationFile; readonly error: TenantctlError }[];
  /** The first file whose text has a column of pgvector's. */
  readonly needsVector?: string | undefined;
}

interface UnreadableFolder {
  readonly folder?: undefined;
  readonly error: TenantctlError;
  readonly needsVector?: undefined;
}

/** vector(1536), halfvec(…), sparsevec(…) */
const VECTOR_COLUMN = /\b(?:vector|halfvec|sparsevec)\s*\(\s*\d/i;

/** Reads a folder and loads every file in it; loading runs the file's top level. Does not throw. */
export async function readFolderFacts(directory: string, isNamed: boolean): Promise<FolderFacts> {
  let folder: MigrationFolder;
  try {
    folder = await readMigrationFolder(directory);
  } catch (error) {
    return { directory, isNamed, error: toTenantctlError(error) };
  }
  const broken: { file: MigrationFile; error: TenantctlError }[] = [];
  let needsVector: string | undefined;
  for (const file of folder.files) {
    try {
      await loadMigration(file);
      if (needsVector === undefined && VECTOR_COLUMN.test(await readFile(file.path, 'utf8')))
        needsVector = file.name;
    } catch (error) {
      broken.push({ file, error: toTenantctlError(error) });
    }
  }
  return { directory, isNamed, folder, broken, needsVector };
}

import { readFile } from 'node:fs/promises';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { loadMigration } from '../files/load.ts';
import { readMigrationFolder, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import { failed, kebab, ok, skipAll, skipped, unknown, type Check } from './check.ts';
import { counted, shellWord } from '../../wording.ts';

/** What is in a folder of migrations. */
export type FolderFacts = FolderName & (ReadFolder | UnreadableFolder);

interface FolderName {
  readonly directory: string;
  /** A variable names it: if it does not exist, the configuration is wrong. */
  readonly isNamed: boolean;
}

interface ReadFolder {
  readonly folder: MigrationFolder;
  readonly error?: undefined;
  /** Files that cannot be loaded. */
  readonly broken: readonly { readonly file: MigrationFile; readonly error: TenantctlError }[];
  /** The first file with a column of one of pgvector's types. */
  readonly needsVector?: string | undefined;
}

interface UnreadableFolder {
  readonly folder?: undefined;
  readonly error: TenantctlError;
  readonly needsVector?: undefined;
}

/** vector(1536), halfvec(…), sparsevec(…) */
const VECTOR_COLUMN = /\b(?:vector|halfvec|sparsevec)\s*\(\s*\d/i;

/** Reads a folder and loads every file in it, which runs the file's top level. Does not throw. */
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

export interface Folders {
  readonly master: FolderFacts;
  readonly tenants: FolderFacts;
}

/**
 * The checks of the folders and their files. Pure.
 * @param keptElsewhere another tool keeps the registry (it exists without a master history), so the project needs no
 *   master migrations
 */
export function folderChecks(folders: Folders | undefined, keptElsewhere: boolean): Check[] {
  if (folders === undefined) {
    return skipAll(
      ['master-folder', 'master-files', 'tenant-folder', 'tenant-files'],
      'the configuration cannot be read',
    );
  }
  const { master, tenants } = folders;
  const mayBeAbsent = keptElsewhere && !master.isNamed && master.error?.code === 'MIGRATIONS_FOLDER_MISSING';
  return [
    ...(mayBeAbsent
      ? [
          ok('master-folder', 'none; the registry is kept by another tool'),
          skipped('master-files', 'there are none'),
        ]
      : oneFolder(master, {
          folder: 'master-folder',
          files: 'master-files',
          kind: 'master',
          variable: 'MASTER_MIGRATIONS_DIR',
        })),
    ...oneFolder(tenants, {
      folder: 'tenant-folder',
      files: 'tenant-files',
      kind: 'tenant',
      variable: 'TENANT_MIGRATIONS_DIR',
    }),
  ];
}

interface FolderKind {
  readonly folder: 'master-folder' | 'tenant-folder';
  readonly files: 'master-files' | 'tenant-files';
  readonly kind: 'master' | 'tenant';
  readonly variable: string;
}

function oneFolder(facts: FolderFacts, { folder: id, files: filesId, kind, variable }: FolderKind): Check[] {
  const { directory, isNamed } = facts;
  if (facts.folder === undefined) {
    const { error } = facts;
    const check =
      error.code !== 'MIGRATIONS_FOLDER_MISSING'
        ? unknown(id, error)
        : isNamed
          ? failed(
              id,
              `${variable}: ${directory} is not a directory`,
              `mkdir -p ${shellWord(directory)} # or correct ${variable}: it is taken from the folder that the command is called in`,
              'CONFIG_INVALID',
            )
          : failed(id, `${directory} does not exist`, 'tenantctl init', error.code);
    return [check, skipped(filesId, 'the folder cannot be read')];
  }
  const {
    folder: { files },
    broken,
  } = facts;
  if (files.length === 0) {
    const check =
      kind === 'master'
        ? failed(id, `${directory} holds no migrations`, 'tenantctl init', 'MIGRATIONS_FOLDER_EMPTY')
        : ok(id, `${directory} holds no migrations yet; tenantctl make tenant <name> writes the first`);
    return [check, skipped(filesId, 'there are none')];
  }
  return [
    ok(id, directory),
    ...(broken.length === 0
      ? [
          ok(
            filesId,
            files.length === 1
              ? `1 file, ${files[0]?.name}`
              : `${counted(files.length, 'file')}, from ${files[0]?.name} to ${files.at(-1)?.name}`,
          ),
        ]
      : broken.map(({ file, error }) =>
          unknown(
            {
              id: `${kind}-file-${kebab(file.name)}`,
              title: kind === 'master' ? 'Master file' : 'Tenant file',
            },
            error,
          ),
        )),
  ];
}

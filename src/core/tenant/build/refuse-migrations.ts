import { TenantctlError } from '../../../errors.ts';
import { conjugated, listed } from '../../../wording.ts';
import {
  checksumOf,
  compareNames,
  stemOf,
  type MigrationFile,
  type MigrationFolder,
} from '../../files/source.ts';

/** A migration that a source has, with the checksum of its file; null if it was not recorded. */
export interface SourceMigration {
  readonly name: string;
  readonly checksum: string | null;
}

/** How the migrations of a source and those of the folder differ. */
export interface MigrationDifferences {
  /** The source has them, the folder does not. */
  readonly missing: readonly string[];
  /** Both have them, but the file is not the one that the source ran. */
  readonly edited: readonly string[];
}

/** @param checksum of a file */
export function compareMigrations(
  { files }: Pick<MigrationFolder, 'files'>,
  migrations: readonly SourceMigration[],
  checksum: (file: MigrationFile) => string = checksumOf,
): MigrationDifferences {
  const byStem = new Map(files.map((file) => [file.stem, file]));
  const missing: string[] = [];
  const edited: string[] = [];
  for (const migration of migrations) {
    const file = byStem.get(stemOf(migration.name));
    if (file === undefined) missing.push(migration.name);
    // The same migration in another language has another text.
    else if (
      file.name === migration.name &&
      migration.checksum !== null &&
      checksum(file) !== migration.checksum
    )
      edited.push(migration.name);
  }
  return { missing, edited };
}

/**
 * Why a source cannot be built by the migrations of the folder; undefined if it can. Pure.
 * @param what names the source in messages
 * @param allowEdited edited files are no reason: the shape of what they build is compared
 */
export function refuseMigrations(
  { directory, files }: MigrationFolder,
  total: number,
  { missing, edited }: MigrationDifferences,
  what: string,
  allowEdited: boolean,
): TenantctlError | undefined {
  if (missing.length > 0) {
    const newest = files.at(-1);
    const isNewer = newest !== undefined && missing.every((name) => compareNames(name, newest.name) > 0);
    if (isNewer)
      return new TenantctlError(
        'HISTORY_NEWER',
        `${what} is newer than this release: it has ${listed(missing)}, newer than every file in ${directory}.`,
        { migration: missing[0], hint: 'Use the release that it was made with, or a later one.' },
      );
    return new TenantctlError(
      'MIGRATIONS_DIFFER',
      `${what} has ${listed(missing)}, and ${directory} does not${missing.length === total ? ': is it of another project?' : '.'}`,
      {
        migration: missing[0],
        hint: 'Run the command in the folder of its project, or name the folder in TENANT_MIGRATIONS_DIR. Bring a deleted file back from version control.',
      },
    );
  }
  if (edited.length === 0 || allowEdited) return undefined;
  return new TenantctlError(
    'MIGRATIONS_DIFFER',
    `${listed(edited)} in ${directory} ${conjugated('is', edited.length)} not what ${what} was made with${edited.length === total ? ': is it of another project?' : '.'}`,
    {
      migration: edited[0],
      hint: 'Bring the file back as it was. If the edit changes nothing that the migration makes: --allow-drift.',
    },
  );
}

import { TenantctlError } from '../../../errors.ts';
import { listed } from '../../../wording.ts';
import { stemOf, type MigrationFile, type MigrationFolder } from '../../files/source.ts';

/**
 * A folder with these migrations alone, in their order; or MIGRATION_FILE_MISSING if it lacks some. Pure.
 * @param owner who has them
 */
export function namedOnly(
  folder: MigrationFolder,
  migrations: readonly string[],
  owner = 'the source',
): MigrationFolder | TenantctlError {
  const byStem = new Map(folder.files.map((file) => [file.stem, file]));
  const files: MigrationFile[] = [];
  const missing: string[] = [];
  for (const name of migrations) {
    const file = byStem.get(stemOf(name));
    if (file === undefined) missing.push(name);
    else files.push(file);
  }
  if (missing.length === 0) return { ...folder, files };
  return new TenantctlError(
    'MIGRATION_FILE_MISSING',
    `${folder.directory} lacks ${listed(missing)}, which ${owner} has.`,
    {
      migration: missing[0],
      hint: 'Bring the file back from version control; a file that was renamed needs its old name again.',
    },
  );
}

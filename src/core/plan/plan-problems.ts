import type { ErrorCode } from '../../error-code.ts';
import { TenantctlError } from '../../errors.ts';
import { conjugated, listed } from '../../wording.ts';
import { compareNames, type MigrationFile, type MigrationFolder } from '../files/source.ts';

/** What forbids a plan: history and folder disagree. @param hint what to do about it */
export function problem(code: ErrorCode, migration: string | undefined, message: string, hint: string) {
  return new TenantctlError(code, message, { migration, hint });
}

/** @param missing stems that the history has, and the folder does not */
export function missingFiles(folder: MigrationFolder, missing: readonly string[]): TenantctlError {
  const newest = folder.files.at(-1);
  const newer = newest !== undefined && missing.every((stem) => compareNames(stem, newest.stem) > 0);
  const names = listed(missing);
  return newer
    ? problem(
        'HISTORY_NEWER',
        missing[0],
        `The history holds ${names}, newer than every file in ${folder.directory}: an older release over a newer database?`,
        'Run the newer release. If the older one is meant to run: tenantctl migrate all --allow-newer-history.',
      )
    : problem(
        'MIGRATION_FILE_MISSING',
        missing[0],
        `The history holds ${names}, and ${folder.directory} does not.`,
        'Bring the file back from version control; a file that was renamed needs its old name again.',
      );
}

/** @param late files that sort before one that is applied */
export function outOfOrder(late: readonly MigrationFile[], lastApplied: MigrationFile): TenantctlError {
  return problem(
    'MIGRATION_OUT_OF_ORDER',
    late[0]?.name,
    `${listed(late.map((file) => file.name))} ${conjugated('sorts', late.length)} before ${lastApplied.name}, which is applied already: a branch merged late?`,
    'Give the file a newer timestamp. If the order does not matter: tenantctl migrate all --allow-out-of-order.',
  );
}

/** @param isTwice its file was undone already */
export function notToUndo(name: string, { directory }: MigrationFolder, isTwice: boolean): TenantctlError {
  const message = `${name} cannot be undone:`;
  return isTwice
    ? problem(
        'MIGRATION_DUPLICATE',
        name,
        `${message} it is in the history twice, so its down would run twice.`,
        'Delete the extra row from the history.',
      )
    : problem(
        'MIGRATION_FILE_MISSING',
        name,
        `${message} it is not in ${directory}.`,
        'Bring the file back from version control: its down is what undoes it.',
      );
}

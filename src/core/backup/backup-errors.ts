import { messageOf, TenantctlError } from '../../errors.ts';

/** @param what the file's path, or `The stream` */
export function backupDamaged(what: string, reason: string): TenantctlError {
  return new TenantctlError('BACKUP_DAMAGED', `${what} is damaged or incomplete: ${reason}.`, {
    hint: 'Nothing of it was used. Take another copy of this backup, or an older or newer backup.',
  });
}

export function backupEmpty(what: string): TenantctlError {
  return new TenantctlError('BACKUP_EMPTY', `${what} is empty.`, {
    hint: 'The command that was to write it has failed, or the path is that of another file.',
  });
}

export function backupUnrecognized(what: string): TenantctlError {
  return new TenantctlError('BACKUP_UNRECOGNIZED', `${what} is not a backup that tenantctl has written.`, {
    hint: 'A backup is a file that "tenantctl tenant backup" writes, as it is: decrypt or decompress it first if something else has packed it.',
  });
}

export function backupNewer(what: string, format: number, known: number): TenantctlError {
  return new TenantctlError(
    'BACKUP_NEWER',
    `${what} has format ${format}; this tenantctl reads formats up to ${known}.`,
    { hint: 'Use the tenantctl that made it, or a newer one.' },
  );
}

/** For what node:fs throws when a backup is opened or read. */
export function backupUnreadable(what: string, cause: unknown): TenantctlError {
  const { code } = cause as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a folder',
    EACCES: 'permission is missing',
  };
  return new TenantctlError(
    'FILE_UNUSABLE',
    `${what} cannot be read: ${reasons[code ?? ''] ?? messageOf(cause)}.`,
    {
      hint: 'Give the path of a file that "tenantctl tenant backup" has written.',
      cause,
    },
  );
}

/** For what node:fs or a stream throws when a backup is written. @param path of the file or folder, or `The stream` */
export function backupUnwritable(path: string, cause: unknown): TenantctlError {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'its parent does not exist',
    ENOTDIR: 'it is not a folder',
    EACCES: 'permission is missing',
    EROFS: 'the file system is read-only',
    ENOSPC: 'no space is left on the disk',
    EDQUOT: 'the disk quota is used up',
    EPIPE: 'its reader has closed it',
  };
  const { code } = cause as NodeJS.ErrnoException;
  const reason = reasons[code ?? ''] ?? messageOf(cause);
  return new TenantctlError('FILE_UNUSABLE', `${path} cannot be written: ${reason}.`, {
    hint: 'Correct that, and run the command again. No unfinished file was left behind.',
    cause,
  });
}

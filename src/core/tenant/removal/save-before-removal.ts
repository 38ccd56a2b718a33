import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { PoolClient } from 'pg';
import type { ErrorCode } from '../../../error-code.ts';
import { TenantctlError } from '../../../errors.ts';
import { prepareBackupFolder, backupFileName, writeBackupFile } from '../../backup/backup-file.ts';
import { verifyBackup } from '../../backup/read-backup.ts';
import { writeBackup, type BackupSummary } from '../../backup/write-backup.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Shape } from '../../shape/shape.ts';
import { recordBackup } from '../../state/backups.ts';
import type { RemovalVerb, RemovedTenant } from './removal-result.ts';

/** A backup that is on the disk, and was read again to its end. */
export interface SavedTenant {
  /** The absolute path. */
  readonly file: string;
  /** The statements that record it, for the transaction that takes the schema away. */
  readonly record: readonly string[];
}

/** @param shape of the tenant, before its foreign keys to shared tables were dropped */
export type Save = (client: PoolClient, tenant: RemovedTenant, shape: Shape) => Promise<SavedTenant>;

/** Why there is no backup: a drop may go without one. */
const WITHOUT: readonly ErrorCode[] = [
  'CONTENT_UNSUPPORTED',
  'RIGHTS_MISSING',
  'FILE_UNUSABLE',
  'BACKUP_DAMAGED',
];

/** Awaits a step of the backup before a removal. @throws what it throws; of a drop, with the way to go without */
export async function orWithoutBackup<T>(verb: RemovalVerb, step: Promise<T>): Promise<T> {
  return step.catch((thrown: unknown) => {
    if (verb !== 'drop' || !(thrown instanceof TenantctlError) || !WITHOUT.includes(thrown.code))
      throw thrown;
    const also = 'To drop it without a backup: --no-backup';
    const { code, message, retryable: _, ...facts } = thrown.toJSON();
    const hint = facts.hint === undefined ? also : `${facts.hint} ${also}`;
    throw new TenantctlError(code, message, { ...facts, hint, cause: thrown });
  });
}

/**
 * Backs tenants up into a folder, which is created if it is missing and its parent exists.
 * @throws TenantctlError FILE_UNUSABLE if no file can be created there
 */
export async function saveInto({ database, run }: RunContext, backupFolder: string): Promise<Save> {
  const folder = resolve(backupFolder);
  await prepareBackupFolder(folder);
  return async (client, { clerkOrgId, schema, status }, shape) => {
    const subject = { clerkOrgId, schema, status, shape };
    const { written, path } = await writeBackupFile(
      folder,
      schema,
      (output) => writeBackup(client, database, subject, output),
      ({ manifest }: BackupSummary) => backupFileName(clerkOrgId, schema, manifest.madeAt),
    );
    await verifyBackup(path);
    const { bytes, rows, sha256, manifest } = written;
    const backup = { file: path, host: hostname(), bytes, rows, sha256, madeAt: manifest.madeAt };
    return { file: path, record: recordBackup(schema, run?.id, backup) };
  };
}

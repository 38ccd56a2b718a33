import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { PoolClient } from 'pg';
import { prepareBackupFolder, backupFileName, writeBackupFile } from '../../backup/backup-file.ts';
import { verifyBackup } from '../../backup/read-backup.ts';
import { writeBackup, type BackupSummary } from '../../backup/write-backup.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Shape } from '../../shape/shape.ts';
import { recordBackup } from '../../state/backups.ts';
import type { RemovedTenant } from './removal-result.ts';

/** A backup that is on the disk, and was read again to its end. */
export interface SavedTenant {
  /** The absolute path. */
  readonly file: string;
  /** The statements that record it, for the transaction that takes the schema away. */
  readonly record: readonly string[];
}

/** @param shape of the tenant, before its foreign keys to shared tables were dropped */
export type Save = (client: PoolClient, tenant: RemovedTenant, shape: Shape) => Promise<SavedTenant>;

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

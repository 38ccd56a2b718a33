import { stat } from 'node:fs/promises';
import type { Database } from '../../../db/database.ts';
import { TenantctlError } from '../../../errors.ts';
import { tenantCommand } from '../../registry/not-active.ts';
import type { Tenant } from '../../registry/registry.ts';
import { readBackups, type BackupRecord } from '../../state/backups.ts';
import { openFile, type RestoreSource } from './restore-source.ts';

/** A row of the registry; the status is ARCHIVED, or that of an unarchiving that was killed. */
export type ArchivedTenant = Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>;

/**
 * Opens the backup that a tenant was archived with.
 * @param file where it is now, if it was moved
 * @throws TenantctlError FILE_UNUSABLE, BACKUP_DIFFERS, and as openFile
 */
export async function openArchivedBackup(
  database: Database,
  tenant: ArchivedTenant,
  file: string | undefined,
): Promise<RestoreSource> {
  const [record] = await readBackups(database, tenant.schema, 1);
  const path = file ?? record?.file ?? undefined;
  if (path === undefined) throw noBackup(tenant, record);
  if (file === undefined && record !== undefined)
    await stat(path).catch((cause: unknown) => {
      throw notFound(tenant, path, record, cause);
    });
  const source = await openFile(path);
  const isRecorded = source.sha256 === record?.sha256;
  const isNamed = file !== undefined && source.manifest.schema === tenant.schema;
  if (!isRecorded && !isNamed) throw differs(tenant, path, source);
  return source;
}

/** For a shell. */
const givenFile = (tenant: string) => `${tenantCommand('unarchive', [tenant])} --file <path>`;

function noBackup({ clerkOrgId: tenant }: ArchivedTenant, record: BackupRecord | undefined): TenantctlError {
  const what = record === undefined ? 'No backup is recorded' : 'The last backup was written to a stream';
  return new TenantctlError('FILE_UNUSABLE', `${what} for the tenant "${tenant}".`, {
    tenant,
    hint: `If you have a backup of it: ${givenFile(tenant)}`,
  });
}

function notFound(
  { clerkOrgId: tenant }: ArchivedTenant,
  path: string,
  { host }: BackupRecord,
  cause: unknown,
): TenantctlError {
  const message = `The backup of the tenant "${tenant}" was written to ${path} on ${host}; there is no such file here.`;
  return new TenantctlError('FILE_UNUSABLE', message, {
    tenant,
    hint: `If it was moved: ${givenFile(tenant)}`,
    cause,
  });
}

function differs(
  { clerkOrgId: tenant, schema }: ArchivedTenant,
  path: string,
  { manifest }: RestoreSource,
): TenantctlError {
  const whose = `"${manifest.clerkOrgId}" (${manifest.schema}) at ${manifest.madeAt}`;
  return new TenantctlError(
    'BACKUP_DIFFERS',
    `${path} is the backup of ${whose}, and not the one that "${tenant}" (${schema}) was archived with.`,
    { tenant, hint: `If the right one was moved: ${givenFile(tenant)}` },
  );
}

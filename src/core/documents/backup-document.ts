import type { ErrorReport } from '../../errors.ts';
import { FORMAT } from '../backup/format.ts';
import type { VerifiedBackup } from '../backup/read-backup.ts';
import type { BackupComparison } from '../tenant/backup/compare-with-backup.ts';
import type { Backups } from '../tenant/backup/backup-result.ts';
import type { BackupPlan } from '../tenant/backup.ts';
import { tenantsDocument, withReport, type TenantsDocument } from './document.ts';

/** `tenant backup`. */
export type BackupsDocument = TenantsDocument<Backups>;

export const backupsDocument = (result: Backups): BackupsDocument => tenantsDocument(result);

/** `tenant backup --dry-run`. */
export interface BackupPlanDocument extends Omit<BackupPlan, 'refused'> {
  readonly dryRun: true;
  readonly refused: BackupsDocument['tenants'];
}

export function backupPlanDocument({ planned, refused, notBackedUp }: BackupPlan): BackupPlanDocument {
  return { dryRun: true, planned, refused: refused.map(withReport), notBackedUp };
}

/** What `tenant verify` says of one file. */
export interface BackupFileDocument {
  readonly file: string;
  readonly ok: boolean;
  /** From the manifest; these are absent if the file cannot be used. */
  readonly format?: number;
  readonly clerkOrgId?: string;
  readonly schema?: string;
  readonly status?: string;
  readonly madeAt?: string;
  readonly server?: string;
  readonly tenantctl?: string;
  readonly migrations?: readonly string[];
  readonly tables?: number;
  readonly rows?: number;
  readonly bytes?: number;
  readonly sha256?: string;
  /** With `--tenant`: how that tenant differs from the backup. */
  readonly comparison?: BackupComparison;
  readonly error?: ErrorReport;
}

export function backupFileDocument(
  file: string,
  { manifest, bytes, sha256, rows }: VerifiedBackup,
  comparison?: BackupComparison,
): BackupFileDocument {
  const { clerkOrgId, schema, status, madeAt, server, tenantctl, migrations, content } = manifest;
  return {
    file,
    ok: true,
    format: FORMAT,
    clerkOrgId,
    schema,
    status,
    madeAt,
    server,
    tenantctl,
    migrations: migrations.map(({ name }) => name),
    tables: content.tables.length,
    rows,
    bytes,
    sha256,
    ...(comparison !== undefined && { comparison }),
  };
}

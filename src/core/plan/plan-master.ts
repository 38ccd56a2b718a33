import { counted, listed } from '../../wording.ts';
import { TenantctlError } from '../../errors.ts';
import { planForward, type ForwardOptions, type Plan } from './plan.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { readMasterHistory } from '../target/master-history.ts';
import type { Database } from '../../db/database.ts';

export interface MasterFolderOptions {
  /** The folder of the master migrations. */
  readonly folder: string;
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
}

/** The folder, and what of it is pending. @throws TenantctlError if history and folder disagree */
export async function planMaster(
  database: Database,
  options: MasterFolderOptions,
): Promise<{ folder: MigrationFolder; plan: Plan }> {
  const folder = await readMigrationFolder(options.folder);
  if (folder.files.length === 0) throw emptyFolder(folder);
  const forward = forwardOptions(folder, options);
  const plan = planForward(folder, await readMasterHistory(database), forward);
  if (plan.problem !== undefined) throw plan.problem;
  return { folder, plan };
}

export function forwardOptions(folder: MigrationFolder, options: MasterFolderOptions): ForwardOptions {
  return {
    to: options.to === undefined ? undefined : findMigration(folder, options.to),
    allowNewerHistory: options.allowNewerHistory,
    allowOutOfOrder: options.allowOutOfOrder,
  };
}

export function emptyFolder(folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'MIGRATIONS_FOLDER_EMPTY',
    `There are no master migrations in ${folder.directory}.`,
    {
      hint: 'Run tenantctl init: it writes the first one, which creates the registry.',
    },
  );
}

/** Master migrations come first: tenants may depend on shared tables. @throws TenantctlError MASTER_PENDING */
export async function refusePendingMaster(
  database: Database,
  masterFolder: string,
  options: Pick<MasterFolderOptions, 'allowNewerHistory' | 'allowOutOfOrder'>,
): Promise<void> {
  const { plan } = await planMaster(database, {
    folder: masterFolder,
    allowNewerHistory: options.allowNewerHistory,
    allowOutOfOrder: options.allowOutOfOrder,
  });
  if (plan.steps.length === 0) return;
  const names = plan.steps.map((step) => step.name);
  throw new TenantctlError(
    'MASTER_PENDING',
    `${counted(names.length, 'master migration', 'is')} pending, and tenants may depend on them: ${listed(names)}.`,
    {
      migration: names[0],
      hint: 'Run tenantctl migrate master first, or tenantctl migrate all, which does both.',
    },
  );
}

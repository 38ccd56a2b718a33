import { TenantctlError } from '../../errors.ts';
import type { ForwardOptions } from './plan.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from '../files/source.ts';

export interface TenantFolderOptions {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
  /** An empty folder is an error, unless this is set. */
  readonly allowEmptyFolder?: boolean | undefined;
}

/** The folder of the tenant migrations and what the options ask of it. */
export async function readTenantFolder(
  options: TenantFolderOptions,
): Promise<{ folder: MigrationFolder; forward: ForwardOptions }> {
  const folder = await readMigrationFolder(options.folder);
  if (folder.files.length === 0 && options.allowEmptyFolder !== true) {
    throw new TenantctlError(
      'MIGRATIONS_FOLDER_EMPTY',
      `There are no tenant migrations in ${folder.directory}.`,
      {
        hint: 'Make the first one: tenantctl make tenant <name>. Or is TENANT_MIGRATIONS_DIR another folder?',
      },
    );
  }
  return {
    folder,
    forward: {
      to: options.to === undefined ? undefined : findMigration(folder, options.to),
      allowNewerHistory: options.allowNewerHistory,
      allowOutOfOrder: options.allowOutOfOrder,
    },
  };
}

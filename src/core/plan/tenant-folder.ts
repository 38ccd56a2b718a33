import { TenantctlError } from '../../errors.ts';
import type { MigrateTenantsOptions } from '../commands/migrate-tenants.ts';
import type { ForwardOptions } from './plan.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from '../files/source.ts';

/** The folder of the tenant migrations and what the options ask of it. */
export async function readTenantFolder(
  options: Pick<
    MigrateTenantsOptions,
    'folder' | 'to' | 'allowEmptyFolder' | 'allowNewerHistory' | 'allowOutOfOrder'
  >,
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

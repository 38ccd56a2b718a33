import type { Database } from '../../../db/database.ts';
import type { FleetRunOptions } from '../../commands/in-run.ts';
import { withScriptsOf } from '../../files/repeatable.ts';
import { readMigrationFolder, type MigrationFolder } from '../../files/source.ts';
import type { VectorExtensionMode } from '../../install/vector-extension.ts';
import { refusePendingMaster } from '../../plan/plan-folder.ts';
import { planForward, type Plan } from '../../plan/plan.ts';
import { assertRegistry, type RegistryShape } from '../../registry/registry-shape.ts';
import { compareMigrations, refuseMigrations } from '../build/refuse-migrations.ts';
import type { RestoreSource } from './restore-source.ts';

/** What restoring tenants needs beside their backups. */
export interface RestoreProjectOptions extends Omit<FleetRunOptions, 'compile' | 'recordings'> {
  /** The folder of the master migrations: pending ones are an error. Not checked if absent. */
  readonly masterFolder?: string | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /**
   * Restores although what the migrations build differs from the backup, or a migration was edited since. Rows that have
   * no place any more are left out; the result names them.
   */
  readonly allowDrift?: boolean | undefined;
  /** As for migrating: the folder has pending migrations that sort before an applied one. */
  readonly allowOutOfOrder?: boolean | undefined;
}

export interface RestoreProject {
  readonly registry: RegistryShape;
  readonly folder: MigrationFolder;
}

/** @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, MASTER_PENDING, and of the folders */
export async function readRestoreProject(
  database: Database,
  { folder, repeatableFolder, masterFolder }: RestoreProjectOptions,
): Promise<RestoreProject> {
  const migrations = await withScriptsOf(await readMigrationFolder(folder), repeatableFolder);
  const registry = await assertRegistry(database);
  if (masterFolder !== undefined)
    await refusePendingMaster(database, masterFolder, { allowNewerHistory: true });
  return { registry, folder: migrations };
}

/**
 * What is to be applied to a tenant after its backup is restored.
 * @throws TenantctlError MIGRATIONS_DIFFER, HISTORY_NEWER, MIGRATION_OUT_OF_ORDER
 */
export function planAfter(
  { folder }: RestoreProject,
  { manifest: { migrations }, what }: RestoreSource,
  { allowDrift = false, allowOutOfOrder }: RestoreProjectOptions,
): Plan {
  const differences = compareMigrations(folder, migrations);
  const refused = refuseMigrations(folder, migrations.length, differences, what, allowDrift);
  if (refused !== undefined) throw refused;
  const plan = planForward(folder, { entries: migrations, lockedByKnex: false }, { allowOutOfOrder });
  if (plan.problem !== undefined) throw plan.problem;
  return plan;
}

import { counted, listed } from '../../wording.ts';
import { TenantctlError } from '../../errors.ts';
import { planForward, type ForwardOptions, type Plan } from './plan.ts';
import { withScriptsOf } from '../files/repeatable.ts';
import { findMigration } from '../files/find-migration.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { readMasterHistory } from '../target/history.ts';
import { refuseOtherHistories } from './refuse-other-histories.ts';
import type { Database } from '../../db/database.ts';

export interface FolderOptions extends Omit<ForwardOptions, 'to'> {
  readonly folder: string;
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
}

export interface TenantFolderOptions extends FolderOptions {
  /** The folder of the repeatable scripts, which are applied after the migrations; none if absent. */
  readonly repeatableFolder?: string | undefined;
  /** An empty folder is an error, unless this is set. */
  readonly allowEmptyFolder?: boolean | undefined;
}

/** Reads the folder of the tenant migrations and resolves the options. */
export async function readTenantFolder(
  options: TenantFolderOptions,
): Promise<{ folder: MigrationFolder; forward: ForwardOptions }> {
  const migrations = await readMigrationFolder(options.folder);
  const folder = await withScriptsOf(migrations, options.repeatableFolder);
  if (folder.files.length === 0 && options.allowEmptyFolder !== true)
    throw emptyFolder(
      'tenant',
      folder,
      'Make the first one: tenantctl make tenant <name>. Or is TENANT_MIGRATIONS_DIR another folder?',
    );
  return { folder, forward: forwardOptions(folder, options) };
}

/** The master migrations, and which are pending. @throws TenantctlError if history and folder disagree */
export async function planMaster(
  database: Database,
  options: FolderOptions,
): Promise<{ folder: MigrationFolder; plan: Plan }> {
  // Both at once; an error of the folder comes first.
  const reading = readMasterHistory(database);
  reading.catch(() => {});
  const folder = await readMigrationFolder(options.folder);
  if (folder.files.length === 0)
    throw emptyFolder(
      'master',
      folder,
      'Run tenantctl init: it writes the first one, which creates the registry.',
    );
  const history = await reading;
  if (history.entries.length === 0) await refuseOtherHistories(database, 'master', folder);
  const plan = planForward(folder, history, forwardOptions(folder, options));
  if (plan.problem !== undefined) throw plan.problem;
  return { folder, plan };
}

export function forwardOptions(
  folder: MigrationFolder,
  { to, allowNewerHistory, allowOutOfOrder }: FolderOptions,
): ForwardOptions {
  return { to: to === undefined ? undefined : findMigration(folder, to), allowNewerHistory, allowOutOfOrder };
}

function emptyFolder(
  kind: 'master' | 'tenant',
  { directory }: MigrationFolder,
  hint: string,
): TenantctlError {
  const message = `There are no ${kind} migrations in ${directory}.`;
  return new TenantctlError('MIGRATIONS_FOLDER_EMPTY', message, { hint });
}

/** Tenants may depend on shared tables. @throws TenantctlError MASTER_PENDING */
export async function refusePendingMaster(
  database: Database,
  folder: string,
  { allowNewerHistory, allowOutOfOrder }: Omit<ForwardOptions, 'to'>,
  observe: Observer = silent,
): Promise<void> {
  const { plan } = await planMaster(database, { folder, allowNewerHistory, allowOutOfOrder });
  for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
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

import { TenantctlError } from '../../errors.ts';
import { registryName, type Names } from '../../names.ts';
import { editedFiles, editedWarning, recordFiles } from '../state/checksums.ts';
import type { RunOptions } from '../run/run-context.ts';
import { planForward } from '../plan/plan.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import { isDefaultRegistry, isRegistry, readRegistryShape } from '../registry/registry-shape.ts';
import { serveMaster } from '../strategy/serve-master.ts';
import { inRun, type CommandRun } from './in-run.ts';
import type { RunEnding } from '../ledger/recorded-run.ts';
import { changeNames, ensureState, upgradeState } from '../install/state-schema.ts';
import { planMaster, forwardOptions, type FolderOptions } from '../plan/plan-folder.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

export interface MasterOptions extends RunOptions, Omit<FolderOptions, 'to'> {
  readonly observe?: Observer | undefined;
}

export interface MigrateMasterOptions extends MasterOptions {
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
  /** Record the configured names in place of those that the database has been managed with. */
  readonly changeNames?: boolean | undefined;
}

/** What was done to the master schema. */
export interface MasterResult {
  /** The number of the run in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  readonly names: readonly string[];
  /** 0 if nothing was due. */
  readonly batch: number;
  readonly durationMs: number;
}

/**
 * Brings the tenantctl schema up to date, then applies the pending master migrations in `public`.
 * @throws TenantctlError for every failure; the failed transaction is rolled back
 */
export function migrateMaster(database: Database, options: MigrateMasterOptions): Promise<MasterResult> {
  return inRun(database, 'migrate master', options, endingOf, async (run) => {
    if (run.options.changeNames === true) await changeNames(database);
    return migrateInRun(database, run);
  });
}

async function migrateInRun(
  database: Database,
  { options, context, run, observe }: CommandRun<MigrateMasterOptions>,
): Promise<MasterResult> {
  const { names } = database;
  const started = Date.now();
  const { folder, plan } = await planMaster(database, options);
  const stateVersion = await readStateVersion(database);
  for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
  if (stateVersion > 0) await warnOfEdits(database, folder, observe);
  const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
  assertSessions(database, migrations, 'up');
  const hasRegistry = (await readRegistryShape(database)) !== undefined;
  // A registry of another name may be created by any migration, or by another tool.
  const mustCreate = !hasRegistry && isDefaultRegistry(names);
  if (!mustCreate) await ensureState(database, stateVersion);
  else if (migrations[0] === undefined) throw registryNeverCreated(names, folder);
  else if (!migrations[0].upInTransaction) throw initMissing(names, folder);

  const planned = plan.steps.map(({ name }) => name);
  if (!mustCreate && planned.length > 0) await run.begin(planned);
  const forward = forwardOptions(folder, options);
  const done = await serveMaster(context, plan, observe, {
    direction: 'up',
    decide: (history) => planForward(folder, history, forward),
    // Without a registry, tenantctl's own schema is created by the transaction that creates the registry.
    opening: mustCreate
      ? async (client) => {
          await upgradeState(client, names, stateVersion);
          await run.begin(planned, client);
        }
      : undefined,
    async afterFirst(client) {
      if (!mustCreate) return;
      const { rows } = await client.query<{ present: boolean }>(
        `SELECT EXISTS (SELECT FROM pg_class c WHERE ${isRegistry(names, 'c')}) AS present`,
      );
      if (rows[0]?.present !== true) throw initMissing(names, folder);
    },
    hasState: hasRegistry || stateVersion > 0,
  });
  const applied = new Set(done.names);
  await recordFiles(
    database,
    'master',
    folder.files.filter((file) => applied.has(file.name)),
  );
  if (!hasRegistry && !mustCreate && (await readRegistryShape(database)) === undefined) {
    const message = `The registry ${registryName(names)} does not exist yet. Correct REGISTRY_TABLE, or write a master migration that creates it.`;
    observe({ type: 'warning', message });
  }
  return { names: done.names, batch: done.batch, durationMs: Date.now() - started };
}

/** How a run over the master schema is recorded. */
export function endingOf({ names }: MasterResult): RunEnding {
  return { outcome: 'done', totals: { migrations: names.length } };
}

async function warnOfEdits(database: Database, folder: MigrationFolder, observe: Observer): Promise<void> {
  const edited = await editedFiles(database, 'master', folder);
  if (edited.length > 0) observe({ type: 'warning', message: editedWarning(edited) });
}

const INIT_HINT =
  'Run tenantctl init: it writes 20251103123228_init_db, which creates the registry and must run first. Nothing was changed.';

export function initMissing(names: Names, folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'INIT_MIGRATION_MISSING',
    `${folder.files[0]?.name ?? 'The first master migration'} does not create the registry ${registryName(names)}, and this database has none.`,
    { hint: INIT_HINT },
  );
}

function registryNeverCreated(names: Names, folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'INIT_MIGRATION_MISSING',
    `Every migration in ${folder.directory} is applied, and the registry ${registryName(names)} does not exist.`,
    { hint: `${INIT_HINT} Where the table was dropped by hand, restore it from a backup.` },
  );
}

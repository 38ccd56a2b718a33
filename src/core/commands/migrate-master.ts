import type { MigrationNotice } from '../report/notices.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { TenantctlError } from '../../errors.ts';
import { registryName, type Names } from '../../names.ts';
import { warnOfEditedFiles } from '../state/checksums.ts';
import { recordLoaded, type RunOptions } from '../run/run-context.ts';
import { filesOf, planForward, type Plan } from '../plan/plan.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { isInit } from '../files/scaffold.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import { adoptionAdvice, readAdoption } from '../registry/adoption.ts';
import { hasRegistryTable, isDefaultRegistry } from '../registry/registry-shape.ts';
import { serveMaster } from '../strategy/serve-master.ts';
import { inRun, type CommandRun } from './in-run.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { changeNames, ensureState, readState, upgradeState } from '../install/state-schema.ts';
import { planMaster, forwardOptions, type FolderOptions } from '../plan/plan-folder.ts';
import { refuseSkeletons } from '../plan/refuse-skeletons.ts';
import type { Database } from '../../db/database.ts';

export interface MasterOptions extends RunOptions, Omit<FolderOptions, 'to'> {
  readonly observe?: Observer | undefined;
}

export interface MigrateMasterOptions extends MasterOptions {
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
  /** Replace the recorded names of the database by the configured ones. */
  readonly changeNames?: boolean | undefined;
}

export interface MasterResult {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  readonly names: readonly string[];
  /** 0 if nothing was due. */
  readonly batch: number;
  readonly durationMs: number;
  /** What the server said while migrations ran; absent if it said nothing. */
  readonly notices?: readonly MigrationNotice[];
}

/** Updates the schema tenantctl, then applies the pending master migrations. @throws TenantctlError */
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
  const elapsedMs = startStopwatch();
  const [{ folder, plan }, state] = await database.together((one) => [
    planMaster(one, options),
    readState(one),
  ]);
  for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
  if (state.version > 0) await warnOfEditedFiles(database, 'master', folder, observe);
  await refuseSkeletons(database, 'master', filesOf(plan.steps));
  await assertSessions(context, plan.steps, 'up');
  const hasRegistry = await hasRegistryTable(database, names);
  // A registry with another name may be created by any migration, or by another tool.
  const mustCreate = !hasRegistry && isDefaultRegistry(names);
  const advice = mustCreate ? adoptionAdvice(await readAdoption(database, false)) : undefined;
  const missing = () => registryMissing(names, folder, plan, advice);
  const [first] = plan.steps;
  if (!mustCreate) await ensureState(database, state, observe);
  else if (first === undefined) throw missing();
  else if (!(await context.load(first.file)).upInTransaction) throw missing();

  const planned = plan.steps.map(({ name }) => name);
  if (!mustCreate && planned.length > 0) await run.begin(planned);
  const forward = forwardOptions(folder, options);
  const done = await serveMaster(context, plan, observe, {
    direction: 'up',
    decide: (history) => planForward(folder, history, forward),
    // Without a registry, the transaction that creates the registry also creates tenantctl's own schema.
    opening: mustCreate
      ? async (client) => {
          await upgradeState(client, database, state.version);
          await run.begin(planned, client);
        }
      : undefined,
    async afterFirst(client) {
      if (mustCreate && !(await hasRegistryTable(client, names))) throw missing();
    },
    hasState: hasRegistry || state.version > 0,
  });
  await recordLoaded(context, 'master', folder, done.names);
  if (!hasRegistry && !mustCreate && !(await hasRegistryTable(database, names))) {
    const message = `The registry ${registryName(names)} does not exist yet. Correct REGISTRY_TABLE, or write a master migration that creates it.`;
    observe({ type: 'warning', message });
  }
  return { names: done.names, batch: done.batch, durationMs: elapsedMs() };
}

export function endingOf({ names }: MasterResult): RunEnding {
  return { outcome: 'done', totals: { migrations: names.length } };
}

/** The registry is missing, and the next migration does not create it. @param advice if another table is one */
function registryMissing(
  names: Names,
  { directory, files }: MigrationFolder,
  { steps: [next], batch }: Plan,
  advice: string | undefined,
): TenantctlError {
  const registry = registryName(names);
  const message =
    next === undefined
      ? `Every migration in ${directory} is applied, and the registry ${registry} does not exist.`
      : `${next.name} does not create the registry ${registry}, and this database has none.`;
  const init = files.find(({ name }) => isInit(name));
  const isFirstRun = next !== undefined && batch === 1;
  const flag = isFirstRun ? '' : ', then tenantctl migrate master --allow-out-of-order';
  const create =
    init === undefined
      ? `Run tenantctl init, which writes the migration that creates it${flag}.`
      : init === next?.file
        ? `${init.name} must create it, and within a transaction.`
        : isFirstRun
          ? `Rename ${init.name} so that it sorts before every other master migration.`
          : 'tenantctl doctor shows how to create it again, empty.';
  const restore = isFirstRun ? '' : 'If the table was dropped by hand, restore it from a backup. ';
  return new TenantctlError('INIT_MIGRATION_MISSING', message, {
    hint: advice ?? `${restore}${create} Nothing was changed.`,
  });
}

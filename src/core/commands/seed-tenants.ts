import type { Database } from '../../db/database.ts';
import type { DataChange } from '../apply/assignment.ts';
import { endingOf } from '../ledger/recorded-run.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { checkCall } from '../options/check-call.ts';
import { forwardOptions, refusePendingMaster, type TenantFolderOptions } from '../plan/plan-folder.ts';
import { planSeeds, readSeeds, type Seed } from '../plan/plan-seeds.ts';
import { planner } from '../plan/plan.ts';
import { readMigrationFolder } from '../files/source.ts';
import type { FleetResult } from '../report/results.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import type { RunContext } from '../run/run-context.ts';
import { readScripts, recordScripts, selectApplied, type Script } from '../state/scripts.ts';
import { inRun, type CommandRun } from './in-run.ts';
import { serveDataChange, type DataChangeOptions, type DataChangeWork } from './serve-data-change.ts';

export interface SeedTenantsOptions
  extends
    Omit<DataChangeOptions, 'compile' | 'retryFailed' | 'rollout'>,
    Pick<TenantFolderOptions, 'folder' | 'allowNewerHistory' | 'allowOutOfOrder'> {
  /** The folder of the seeds. */
  readonly seedFolder: string;
  /** Names of seeds, with or without extension; all if absent. */
  readonly only?: readonly string[] | undefined;
  /** Run seeds also in tenants that have them already. */
  readonly again?: boolean | undefined;
  /** The folder of the master migrations: pending ones are an error. Not checked if absent. */
  readonly masterFolder?: string | undefined;
  /** As for migrations. What seeds have written cannot be undone. */
  readonly rollout?: Omit<RolloutOptions, 'onCanaryFailure'> | undefined;
}

const COMMAND = 'seed tenants';

/**
 * Runs seeds in every selected ACTIVE tenant that lacks them, in the order of their names; also those whose file has
 * changed since. A tenant's seeds run in one transaction with the record that it has them, as migrations do: under its
 * lock, guarded, retried. A tenant that lacks migrations has failed (TENANT_BEHIND). Each tenant's seeds are run anew:
 * nothing that one tenant was sent is sent to another one.
 * @throws TenantctlError SEEDS_FOLDER_MISSING, SEEDS_FOLDER_EMPTY, SEED_UNKNOWN, SEED_INVALID, and what migrateTenants
 *   throws; a tenant's failure is in the result instead
 */
export async function seedTenants(database: Database, given: SeedTenantsOptions): Promise<FleetResult> {
  const { only, again } = checkCall(database, given, 'folder', 'seedFolder');
  const options = { ...given, recorded: { only, ...(again === true && { again }) } };
  return inRun(database, COMMAND, options, endingOf, async (commandRun) => {
    const work = await seedWork(database, commandRun);
    return serveDataChange({ ...commandRun, options: { ...commandRun.options, compile: false } }, work);
  });
}

/** What `serveDataChange` needs to know of seeds. */
export async function seedWork(
  database: Database,
  { options, context, observe }: Pick<CommandRun<SeedTenantsOptions>, 'options' | 'context' | 'observe'>,
): Promise<DataChangeWork> {
  const { masterFolder, again = false } = options;
  const seeds = await loadSeeds(context, options.seedFolder, options.only);
  const folder = await readMigrationFolder(options.folder);
  const pending = planner(folder, forwardOptions(folder, options));
  if (masterFolder !== undefined) await refusePendingMaster(database, masterFolder, options, observe);
  let applied: ReadonlyMap<string, readonly Script[]> = new Map();
  return {
    command: COMMAND,
    dataChange: seedRecords(context, seeds, again),
    planned: seeds.map(({ name }) => name),
    async prepare() {
      if (!again) applied = await readScripts(database, 'seed');
    },
    decide: ({ clerkOrgId, schema }, history) =>
      planSeeds(clerkOrgId, pending(history), seeds, applied.get(schema)),
  };
}

/** Loads the seeds of a folder, which runs their top level. @throws TenantctlError as readSeeds; SEED_INVALID */
export async function loadSeeds(
  { load }: Pick<RunContext, 'load'>,
  path: string,
  only?: readonly string[],
): Promise<readonly Seed[]> {
  const files = await readSeeds(path, only);
  const loaded = await Promise.all(files.map(load));
  return loaded.map(({ file, checksum }) => ({ file, name: file.name, checksum }));
}

function seedRecords({ run }: Pick<RunContext, 'run'>, seeds: readonly Seed[], again: boolean): DataChange {
  return {
    outcome: 'seeded',
    record: (target, names) => [
      recordScripts(
        seeds.filter(({ name }) => names.includes(name)),
        { schema: target.schema, kind: 'seed', run: run?.id },
      ),
      ...recordInLedger(run?.id, target, { direction: 'up', outcome: 'seeded', names }),
    ],
    // Another run may have been faster; or this one, if the answer to its COMMIT was lost.
    applied: ({ schema }) => selectApplied(seeds, { schema, kind: 'seed', run: again ? run?.id : undefined }),
  };
}

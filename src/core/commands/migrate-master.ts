import { TenantctlError } from '../../errors.ts';
import { registryName, type Names } from '../../names.ts';
import { checkOptions } from '../options/check-options.ts';
import { watchBlockers, withBlockers } from '../run/blockers.ts';
import { editedFiles, editedWarning, recordFiles } from '../state/checksums.ts';
import { createRunContext, type RunContext, type RunOptions } from '../run/run-context.ts';
import { createLockWait } from '../run/lock-wait.ts';
import { advance } from '../apply/advance.ts';
import type { Advance, Assignment } from '../apply/assignment.ts';
import { planForward } from '../plan/plan.ts';
import { assertSessions } from '../apply/sessions-needed.ts';
import type { MigrationFolder } from '../files/source.ts';
import { masterTarget } from '../target/target.ts';
import { silent, type Observer } from '../report/event.ts';
import { isRegistry, registryColumns } from '../registry/registry.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { askedOf } from './asked-of.ts';
import { withRun, type RecordedRun, type RunEnding } from '../ledger/recorded-run.ts';
import { ensureState, upgradeState } from '../install/state-schema.ts';
import { planMaster, forwardOptions, type MasterFolderOptions } from '../plan/plan-master.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

export interface MasterOptions extends RunOptions, Omit<MasterFolderOptions, 'to'> {
  readonly observe?: Observer | undefined;
}

export interface MigrateMasterOptions extends MasterOptions {
  /** The last migration to apply, with or without extension. */
  readonly to?: string | undefined;
}

/** What was done to the master schema. */
export interface MasterResult {
  /** The number of the run in the ledger; absent where it could not be recorded. */
  readonly run?: number;
  readonly names: readonly string[];
  /** 0 where nothing was due. */
  readonly batch: number;
  readonly durationMs: number;
}

/**
 * Applies the pending master migrations in `public`, and before them brings the tenantctl schema up to date.
 * @throws TenantctlError: every way in which it can fail; nothing of the failed transaction remains
 */
export async function migrateMaster(database: Database, given: MigrateMasterOptions): Promise<MasterResult> {
  const options = checkOptions(given, 'folder');
  const observe = options.observe ?? silent;
  const facts = {
    command: 'migrate master',
    options: askedOf(options),
    keep: options.keepRuns,
    observe,
  } as const;
  return withRun(database, facts, options.run, (run) => migrateInRun(database, options, run), endingOf);
}

async function migrateInRun(
  database: Database,
  options: MigrateMasterOptions,
  run: RecordedRun,
): Promise<MasterResult> {
  const started = Date.now();
  const observe = options.observe ?? silent;
  const { names } = database;
  const context = createRunContext(database, { ...options, run });
  const { folder, plan } = await planMaster(database, options);
  const stateVersion = await readStateVersion(database);
  for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
  if (stateVersion > 0) await warnOfEdits(database, folder, observe);
  const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
  assertSessions(database, migrations, 'up');
  const hasRegistry = (await registryColumns(database)) !== undefined;
  if (hasRegistry) await ensureState(database, stateVersion);
  else if (migrations[0] === undefined) throw registryNeverCreated(names, folder);
  else if (!migrations[0].upInTransaction) throw initMissing(names, folder);

  const planned = plan.steps.map(({ name }) => name);
  if (hasRegistry && planned.length > 0) await run.begin(planned);
  const forward = forwardOptions(folder, options);
  const done = await advanceMaster(
    context,
    {
      direction: 'up',
      decide: (history) => planForward(folder, history, forward),
      // Without a registry, tenantctl's own schema comes and goes with the migration that creates it.
      opening: hasRegistry
        ? undefined
        : async (client) => {
            await upgradeState(client, names, stateVersion);
            await run.beginWithin(client, planned);
          },
      async afterFirst(client) {
        const { rows } = await client.query<{ present: boolean }>(
          `SELECT EXISTS (SELECT FROM pg_class c WHERE ${isRegistry(names, 'c')}) AS present`,
        );
        if (rows[0]?.present !== true) throw initMissing(names, folder);
      },
      hasState: hasRegistry || stateVersion > 0,
    },
    observe,
  );
  if (done.outcome === 'failed') throw done.error ?? new Error('failed without an error');
  const applied = new Set(done.done);
  await recordFiles(
    database,
    'master',
    folder.files.filter((file) => applied.has(file.name)),
  );
  return { names: done.done, batch: done.batch, durationMs: Date.now() - started };
}

/** How the ledger has the end of a run over the master schema. */
export function endingOf({ names }: MasterResult): RunEnding {
  return { outcome: 'done', totals: { migrations: names.length } };
}

/**
 * advance on the master schema, waiting for another run that is at work on it. What fails for a reason that may pass is
 * begun anew, as often as the context's retries say.
 */
export async function advanceMaster(
  context: RunContext,
  assignment: Assignment,
  observe: Observer,
): Promise<Advance> {
  const wait = createLockWait(context);
  const blockers = watchBlockers(context.database, context.lockTimeoutMs);
  const before: string[] = [];
  let tries = 0;
  try {
    for (;;) {
      const result = withBlockers(
        await advance(context, masterTarget(context.database.names), assignment),
        blockers,
      );
      const { outcome, error, done } = result;
      if (outcome === 'busy') {
        await wait(undefined);
        continue;
      }
      before.push(...done);
      tries += 1;
      const isLast = tries > context.retries || context.signal?.aborted === true;
      if (error === undefined || isLast || result.mayRepeat !== true || !mayPass(error))
        return { ...result, done: before };
      observe({ type: 'note', message: `The master schema is tried again: ${error.message}` });
      await pause(backoffMs(tries, Math.random), context.signal);
    }
  } finally {
    blockers.stop();
  }
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

import type { Database } from '../db/connection.ts';
import { TenantctlError } from '../errors.ts';
import { watchBlockers, withBlockers } from './blockers.ts';
import { editedFiles, editedWarning, recordFiles } from './checksums.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { createLockWait } from './lock-wait.ts';
import { advance } from './migrations/advance.ts';
import type { Advance, Assignment } from './migrations/assignment.ts';
import {
  EMPTY_HISTORY,
  MASTER_HISTORY,
  lockTableOf,
  readHistories,
  type History,
} from './migrations/history.ts';
import { planForward, type ForwardOptions, type Plan } from './migrations/plan.ts';
import { assertSessions } from './migrations/sessions-needed.ts';
import { findMigration, readMigrationFolder, type MigrationFolder } from './migrations/source.ts';
import { MASTER_TARGET } from './migrations/target.ts';
import { silent, type Observer } from './observer.ts';
import { registryColumns } from './registry.ts';
import { backoffMs, mayPass, pause } from './retry.ts';
import { askedOf } from './runs/asked-of.ts';
import { withRun, type RecordedRun, type RunEnding } from './runs/recorded-run.ts';
import { ensureState, readStateVersion, upgradeState } from './state.ts';

export interface MasterOptions extends EngineOptions {
  /** The folder of the master migrations. */
  readonly folder: string;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
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

/** The history of the master schema as it stands; empty where there is none. */
export async function readMasterHistory(database: Database): Promise<History> {
  const { rows } = await database.query<{ has_history: boolean; has_lock: boolean }>(
    `SELECT to_regclass($1) IS NOT NULL AS has_history, to_regclass($2) IS NOT NULL AS has_lock`,
    [`public.${MASTER_HISTORY}`, `public.${lockTableOf(MASTER_HISTORY)}`],
  );
  const histories = await readHistories(database, [
    {
      schema: 'public',
      table: MASTER_HISTORY,
      hasHistory: rows[0]?.has_history ?? false,
      hasLock: rows[0]?.has_lock ?? false,
    },
  ]);
  return histories.get('public') ?? EMPTY_HISTORY;
}

/**
 * Applies the pending master migrations in `public`, and before them brings the tenantctl schema up to date.
 * @throws TenantctlError: every way in which it can fail; nothing of the failed transaction remains
 */
export async function migrateMaster(
  database: Database,
  options: MigrateMasterOptions,
): Promise<MasterResult> {
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
  const engine = createEngine(database, { ...options, run });
  const { folder, plan } = await planMaster(database, options);
  const stateVersion = await readStateVersion(database);
  for (const warning of plan.warnings) observe({ type: 'warning', message: warning });
  if (stateVersion > 0) await warnOfEdits(database, folder, observe);
  const migrations = await Promise.all(plan.steps.map((step) => engine.load(step.file)));
  assertSessions(database, migrations, 'up');
  const hasRegistry = (await registryColumns(database)) !== undefined;
  if (hasRegistry) await ensureState(database, stateVersion);
  else if (migrations[0] === undefined) throw registryNeverCreated(folder);
  else if (!migrations[0].upInTransaction) throw initMissing(folder);

  const planned = plan.steps.map(({ name }) => name);
  if (hasRegistry && planned.length > 0) await run.begin(planned);
  const forward = forwardOptions(folder, options);
  const done = await advanceMaster(
    engine,
    {
      direction: 'up',
      decide: (history) => planForward(folder, history, forward),
      // Without a registry, tenantctl's own schema comes and goes with the migration that creates it.
      opening: hasRegistry
        ? undefined
        : async (client) => {
            await upgradeState(client, stateVersion);
            await run.beginWithin(client, planned);
          },
      async afterFirst(client) {
        const { rows } = await client.query<{ present: boolean }>(
          `SELECT to_regclass('public.tenants') IS NOT NULL AS present`,
        );
        if (rows[0]?.present !== true) throw initMissing(folder);
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

/** The folder, and what is pending of it. @throws TenantctlError where history and folder do not fit together */
export async function planMaster(
  database: Database,
  options: MigrateMasterOptions,
): Promise<{ folder: MigrationFolder; plan: Plan }> {
  const folder = await readMigrationFolder(options.folder);
  if (folder.files.length === 0) throw emptyFolder(folder);
  const forward = forwardOptions(folder, options);
  const plan = planForward(folder, await readMasterHistory(database), forward);
  if (plan.problem !== undefined) throw plan.problem;
  return { folder, plan };
}

function forwardOptions(folder: MigrationFolder, options: MigrateMasterOptions): ForwardOptions {
  return {
    to: options.to === undefined ? undefined : findMigration(folder, options.to),
    allowNewerHistory: options.allowNewerHistory,
    allowOutOfOrder: options.allowOutOfOrder,
  };
}

/**
 * advance on the master schema, waiting for another run that is at work on it. What fails for a reason that may pass is
 * begun anew, as often as the engine's retries say.
 */
export async function advanceMaster(
  engine: Engine,
  assignment: Assignment,
  observe: Observer,
): Promise<Advance> {
  const wait = createLockWait(engine);
  const blockers = watchBlockers(engine.database, engine.lockTimeoutMs);
  const before: string[] = [];
  let tries = 0;
  try {
    for (;;) {
      const result = withBlockers(await advance(engine, MASTER_TARGET, assignment), blockers);
      const { outcome, error, done } = result;
      if (outcome === 'busy') {
        await wait(undefined);
        continue;
      }
      before.push(...done);
      tries += 1;
      const isLast = tries > engine.retries || engine.signal?.aborted === true;
      if (error === undefined || isLast || result.mayRepeat !== true || !mayPass(error))
        return { ...result, done: before };
      observe({ type: 'note', message: `The master schema is tried again: ${error.message}` });
      await pause(backoffMs(tries, Math.random), engine.signal);
    }
  } finally {
    blockers.stop();
  }
}

async function warnOfEdits(database: Database, folder: MigrationFolder, observe: Observer): Promise<void> {
  const edited = await editedFiles(database, 'master', folder);
  if (edited.length > 0) observe({ type: 'warning', message: editedWarning(edited) });
}

function emptyFolder(folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'MIGRATIONS_FOLDER_EMPTY',
    `There are no master migrations in ${folder.directory}.`,
    {
      hint: 'Run tenantctl init: it writes the first one, which creates the registry.',
    },
  );
}

const INIT_HINT =
  'Run tenantctl init: it writes 20251103123228_init_db, which creates public.tenants and must run first. Nothing was changed.';

export function initMissing(folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'INIT_MIGRATION_MISSING',
    `${folder.files[0]?.name ?? 'The first master migration'} does not create the registry public.tenants, and this database has none.`,
    { hint: INIT_HINT },
  );
}

function registryNeverCreated(folder: MigrationFolder): TenantctlError {
  return new TenantctlError(
    'INIT_MIGRATION_MISSING',
    `Every migration in ${folder.directory} is applied, and the registry public.tenants does not exist.`,
    { hint: `${INIT_HINT} Where the table was dropped by hand, restore it from a backup.` },
  );
}

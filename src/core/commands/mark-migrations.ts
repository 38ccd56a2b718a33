import type { Database } from '../../db/database.ts';
import type { TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import {
  checksumOf,
  compareNames,
  readMigrationFolder,
  type MigrationFile,
  type MigrationFolder,
} from '../files/source.ts';
import { ensureState, prepareState, readState } from '../install/state-schema.ts';
import { endingOfOutcomes, type RunEnding } from '../ledger/run-ending.ts';
import { checkCall } from '../options/check-call.ts';
import { filesToMark, planMarks, type MarkExtent } from '../plan/plan-marks.ts';
import type { ForwardOptions } from '../plan/plan.ts';
import { createLanes } from '../run/lanes.ts';
import { observeEnd } from '../serve/observe-end.ts';
import { serve } from '../serve/serve.ts';
import type { Outcome } from '../serve/work.ts';
import { recordFiles } from '../state/checksums.ts';
import { inRun, type CommandRun, type FleetRunOptions } from './in-run.ts';
import { verbResults, type VerbResults } from './verb-result.ts';
import { readMarkTargets, type MarkSelection, type MarkTarget } from './mark-targets.ts';
import { type MarkTask, type Marked, attemptMark } from './attempt-mark.ts';

export interface MarkOptions
  extends
    Omit<FleetRunOptions, 'recordings' | 'compile'>,
    MarkExtent,
    MarkSelection,
    Pick<ForwardOptions, 'allowOutOfOrder' | 'allowNewerHistory'> {}

/** What was, or would be, recorded in one history. */
export interface MarkResult {
  /** Null for the master schema. */
  readonly clerkOrgId: string | null;
  readonly schema: string;
  /** `unchanged`: the history had them already. `skipped`: the run was stopped before. */
  readonly outcome: 'marked' | 'unchanged' | 'failed' | 'skipped';
  readonly names: readonly string[];
  /** 0 if nothing was recorded. */
  readonly batch: number;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

export type Marks = VerbResults<MarkResult>;

interface Decided {
  readonly folder: MigrationFolder;
  readonly files: readonly MigrationFile[];
  readonly tasks: readonly MarkTask[];
  readonly results: readonly MarkResult[];
}

/**
 * Records migrations as applied in the histories of tenants, or of the master schema, without running them: for schemas
 * that have them already. Each history is changed in a transaction under its lock, as one batch, as if the migrations
 * had been run. Nothing compares the schema with what the migrations make.
 * @throws TenantctlError USAGE, MIGRATION_UNKNOWN, TENANT_UNKNOWN, before anything is changed. One tenant's failure is
 *   in its result: MIGRATION_OUT_OF_ORDER, MIGRATION_FILE_MISSING, HISTORY_NEWER, SCHEMA_MISSING, TENANT_NOT_ACTIVE
 */
export function markMigrations(database: Database, options: MarkOptions): Promise<Marks> {
  const { names, all } = options;
  const recorded = {
    ...(names && { names }),
    ...(all === true && { all }),
    ...(options.master && { master: true }),
  };
  return inRun(database, 'history mark', { ...options, recorded, recordings: false }, endingOf, markInRun);
}

/** What markMigrations would record; nothing is changed. @throws TenantctlError as markMigrations */
export async function planMarking(database: Database, given: MarkOptions): Promise<readonly MarkResult[]> {
  const options = checkCall(database, given, 'folder');
  const { tasks, results } = await decide(database, options);
  const planned = tasks.map(({ tenant, plan }) =>
    resultOf(tenant, 'marked', { names: plan.steps.map(({ name }) => name), batch: plan.batch }),
  );
  return [...planned, ...results];
}

async function decide(database: Database, options: MarkOptions): Promise<Decided> {
  const folder = await readMigrationFolder(options.folder);
  const files = filesToMark(folder, options);
  const tasks: MarkTask[] = [];
  const results: MarkResult[] = [];
  for (const one of await readMarkTargets(database, options)) {
    const plan = planMarks(folder, one.history, files, options);
    const error = one.error ?? plan.problem;
    if (error !== undefined) results.push(resultOf(one.tenant, 'failed', { error }));
    else if (plan.steps.length === 0) results.push(resultOf(one.tenant, 'unchanged'));
    else tasks.push({ ...one, plan });
  }
  return { folder, files, tasks, results };
}

async function markInRun({ context, options, run, observe }: CommandRun<MarkOptions>): Promise<Marks> {
  const elapsedMs = startStopwatch();
  const { database } = context;
  const { folder, files, tasks, results } = await decide(database, options);
  observe({ type: 'selected', total: tasks.length + results.length, due: tasks.length });
  const all = [...results];
  if (tasks.length > 0) {
    const state = await readState(database);
    // There may be no registry yet.
    if (options.master === true) await ensureState(database, state, observe);
    else await prepareState(database, state, observe);
    await run.begin([...new Set(tasks.flatMap(({ plan }) => plan.steps.map(({ name }) => name)))]);
    const lanes = await createLanes(database, options.concurrency, observe, tasks.length);
    const { outcomes } = await serve<MarkTask, Marked>(context, tasks, {
      lanes,
      observe,
      attempt: (task, earlier) =>
        attemptMark(context, task, earlier, (history) => planMarks(folder, history, files, options)),
      onEnd: observeEnd(observe, 'marked', (outcome: Outcome<MarkTask, Marked>) => {
        const { clerkOrgId, ...result } = toResult(outcome);
        return { ...result, clerkOrgId: clerkOrgId ?? '' };
      }),
      ledger: { command: 'history mark', direction: 'up', areStanding: true },
    });
    all.push(...outcomes.map(toResult));
  }
  if (all.some(({ outcome }) => outcome === 'marked')) {
    const scope = options.master === true ? 'master' : 'tenants';
    const checksums = files.map((file) => ({ file, checksum: checksumOf(file) }));
    await recordFiles(database, scope, checksums);
  }
  const tenants = all.toSorted((a, b) => compareNames(a.clerkOrgId ?? '', b.clerkOrgId ?? ''));
  return verbResults(tenants, elapsedMs());
}

function toResult({ task: { tenant }, durationMs, ...outcome }: Outcome<MarkTask, Marked>): MarkResult {
  if (outcome.kind === 'failed') return resultOf(tenant, 'failed', { durationMs, error: outcome.error });
  if (outcome.kind !== 'done') return resultOf(tenant, 'skipped', { durationMs });
  const { names } = outcome.done;
  return resultOf(tenant, names.length === 0 ? 'unchanged' : 'marked', { ...outcome.done, durationMs });
}

function resultOf(
  { clerkOrgId, schema }: MarkTarget['tenant'],
  outcome: MarkResult['outcome'],
  { error, ...more }: Partial<MarkResult> = {},
): MarkResult {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return {
    clerkOrgId: clerkOrgId ?? null,
    schema,
    outcome,
    names: [],
    batch: 0,
    durationMs: 0,
    ...more,
    ...failure,
  };
}

/** Pure. */
function endingOf({ tenants }: Marks): RunEnding {
  return endingOfOutcomes(tenants, { changed: ['marked'], upToDate: ['unchanged'] });
}

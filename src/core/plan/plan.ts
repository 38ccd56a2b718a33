import { conjugated, listed } from '../../wording.ts';
import type { TenantctlError } from '../../errors.ts';
import type { History, HistoryEntry } from '../target/history.ts';
import type { Direction } from '../files/load.ts';
import { missingFiles, notToUndo, outOfOrder, problem } from './plan-problems.ts';
import { compareNames, stemOf, type MigrationFile, type MigrationFolder } from '../files/source.ts';

export interface Step {
  readonly file: MigrationFile;
  readonly name: string;
}

/** What to do to one schema, from its history and the folder. */
export interface Plan {
  readonly steps: readonly Step[];
  /** Forward: the batch of the steps. Back: the last batch to undo. 0 if there is nothing to do. */
  readonly batch: number;
  /** The history and the folder disagree: nothing may run. */
  readonly problem?: TenantctlError;
  /** Disagreements that were allowed. */
  readonly warnings: readonly string[];
  /** Of `ahead`: the migrations that neither the history nor the folder has; absent if there are none. */
  readonly lacks?: readonly string[];
  /** Forward: after the steps, the history has what the folder has, and nothing that is newer. */
  readonly isComplete?: boolean;
}

export const NOTHING: Plan = { steps: [], batch: 0, warnings: [] };

export interface ForwardOptions {
  readonly to?: MigrationFile | undefined;
  /** Migrations of other tenants that are newer than the folder (`readAhead` in src/core/fleet). */
  readonly ahead?: readonly string[] | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
}

/** What a run has applied to a tenant, and what later runs have applied since. */
export interface EntriesOfRun {
  readonly run: number;
  /** The last run that applied an entry, keyed by name and batch as JSON. */
  readonly appliers: ReadonlyMap<string, number>;
}

export type BackwardExtent =
  | { readonly kind: 'last-batch' }
  | { readonly kind: 'run'; readonly of: EntriesOfRun }
  | { readonly kind: 'all' }
  | { readonly kind: 'to'; readonly to: MigrationFile };

/** Decides which files of a folder are pending in a schema with this history. Pure. */
export function planForward(folder: MigrationFolder, history: History, options: ForwardOptions = {}): Plan {
  const warnings: string[] = [];
  const applied = new Set(history.entries.map((entry) => stemOf(entry.name)));
  const known = new Set(folder.files.map((file) => file.stem));
  const refused = (problem: TenantctlError): Plan => ({ steps: [], batch: 0, problem, warnings });

  const missing = [...applied].filter((stem) => !known.has(stem)).toSorted(compareNames);
  if (missing.length > 0) {
    const problem = missingFiles(folder, missing);
    if (problem.code !== 'HISTORY_NEWER' || !options.allowNewerHistory) return refused(problem);
    warnings.push(`${problem.message} It was allowed.`);
  }

  const pending = folder.files.filter((file) => !applied.has(file.stem));
  const lastApplied = folder.files.findLast((file) => applied.has(file.stem));
  const late =
    lastApplied === undefined ? [] : pending.filter((file) => compareNames(file.name, lastApplied.name) < 0);
  if (late.length > 0 && lastApplied !== undefined) {
    const problem = outOfOrder(late, lastApplied);
    if (!options.allowOutOfOrder) return refused(problem);
    warnings.push(`${problem.message} It was allowed.`);
  }

  const end = options.to === undefined ? undefined : folder.files.indexOf(options.to);
  const steps = toSteps(pending.filter((file) => end === undefined || folder.files.indexOf(file) <= end));
  const batch = steps.length === 0 ? 0 : lastBatch(history) + 1;
  const lacks = options.ahead?.filter((name) => !applied.has(stemOf(name))) ?? [];
  const isComplete = steps.length === pending.length && lacks.length + missing.length === 0;
  // A migration may have dropped what a script makes.
  const scripts = isComplete && steps.length > 0 ? toSteps(folder.scripts) : [];
  return { steps: [...steps, ...scripts], batch, warnings, isComplete, ...(lacks.length > 0 && { lacks }) };
}

export function toSteps(files: readonly MigrationFile[] = []): Step[] {
  return files.map((file) => ({ file, name: file.name }));
}

/** Whether the step applies a repeatable script. */
export function isScript({ file }: Pick<Step, 'file'>): boolean {
  return file.script !== undefined;
}

/** planForward for many tenants: tenants that share a history object share one plan. */
export function planner(folder: MigrationFolder, options: ForwardOptions = {}): (history: History) => Plan {
  return sharing((history) => planForward(folder, history, options));
}

/** Caches a decision by history object. */
export function sharing(decide: (history: History) => Plan): (history: History) => Plan {
  const plans = new WeakMap<History['entries'], Plan>();
  return (history) => {
    if (history.unreadable !== undefined) return { ...NOTHING, problem: history.unreadable };
    const plan = plans.get(history.entries) ?? decide(history);
    plans.set(history.entries, plan);
    return plan;
  };
}

/** Decides what to undo in a schema with this history, newest first. Pure. */
export function planBackward(folder: MigrationFolder, history: History, extent: BackwardExtent): Plan {
  const entries = entriesToUndo(history, extent);
  if (extent.kind === 'run') {
    const newer = newerThan(history, entries);
    if (newer.length > 0) return { ...NOTHING, problem: superseded(extent.of, newer) };
  }
  return undoing(folder, history, entries);
}

function undoing(folder: MigrationFolder, history: History, entries: readonly HistoryEntry[]): Plan {
  const steps: Step[] = [];
  const files = new Map(folder.files.map((file) => [file.stem, file]));
  const undone = new Set<MigrationFile | undefined>();
  for (const { name } of entries.toReversed()) {
    const file = files.get(stemOf(name));
    const isTwice = undone.has(file);
    if (file === undefined || isTwice) return { ...NOTHING, problem: notToUndo(name, folder, isTwice) };
    undone.add(file);
    steps.push({ file, name });
  }
  return { steps, batch: steps.length === 0 ? 0 : lastBatch(history), warnings: [] };
}

function entriesToUndo(history: History, extent: BackwardExtent): readonly HistoryEntry[] {
  switch (extent.kind) {
    case 'last-batch': {
      const last = lastBatch(history);
      return history.entries.filter(({ batch }) => batch === last);
    }
    case 'run':
      return history.entries.filter((entry) => applierOf(extent.of, entry) === extent.of.run);
    case 'all':
      return history.entries;
    case 'to': {
      const from = history.entries.findIndex((entry) => stemOf(entry.name) === extent.to.stem);
      return from === -1 ? [] : history.entries.slice(from);
    }
  }
}

function applierOf({ appliers }: EntriesOfRun, { name, batch }: HistoryEntry): number | undefined {
  return appliers.get(JSON.stringify([name, batch]));
}

/** Other entries that were applied after the first of these. */
function newerThan(history: History, entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const own = new Set(entries);
  const first = history.entries.findIndex((entry) => own.has(entry));
  return first === -1 ? [] : history.entries.slice(first).filter((entry) => !own.has(entry));
}

function superseded(of: EntriesOfRun, newer: readonly HistoryEntry[]): TenantctlError {
  const names = newer.map(({ name }) => name);
  const runs = [...new Set(newer.map((entry) => applierOf(of, entry)))].toReversed();
  const known = runs.filter((run) => run !== undefined);
  const undo =
    known.length === runs.length
      ? known.map((run) => `tenantctl rollback tenants --run ${run}`).join(', then ')
      : `tenantctl rollback tenants --to ${names[0]} --tenant <org>`;
  return problem(
    'RUN_SUPERSEDED',
    names[0],
    `${listed(names)} ${conjugated('was', names.length)} applied after run ${of.run}; nothing was undone here.`,
    `Undo first what came after it: ${undo}.`,
  );
}

/** The history after a plan. Pure. */
export function historyAfter(history: History, plan: Plan, direction: Direction): readonly HistoryEntry[] {
  const names = plan.steps.filter((step) => !isScript(step)).map(({ name }) => name);
  return direction === 'up'
    ? [...history.entries, ...names.map((name) => ({ name, batch: plan.batch }))]
    : history.entries.filter(({ name }) => !names.includes(name));
}

export function filesOf(steps: readonly Step[]): MigrationFile[] {
  return steps.map(({ file }) => file);
}

/** The number of the last batch; 0 in an empty history. */
export function lastBatch(history: History): number {
  return history.entries.reduce((max, entry) => Math.max(max, entry.batch), 0);
}

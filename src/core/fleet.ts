import pLimit from 'p-limit';
import { createTranscript, type Transcript } from '../db/transcript.ts';
import { toTenantctlError } from '../errors.ts';
import type { Engine } from './engine.ts';
import type { Lanes } from './lanes.ts';
import { createLockWait } from './lock-wait.ts';
import { runsInTransaction, type Direction } from './migrations/action.ts';
import type { Advance } from './migrations/assignment.ts';
import { compile, type CompiledPlan, type Transcripts } from './migrations/compiled.ts';
import type { History } from './migrations/history.ts';
import type { Plan } from './migrations/plan.ts';
import type { Observer } from './observer.ts';
import type { RegisteredTenant } from './registry.ts';
import { untouched, type TenantResult } from './results.ts';
import { sendToAll } from './send-to-all.ts';
import { recordFailure } from './state.ts';

/** A tenant with what is to be done to it. */
export interface Due {
  readonly tenant: RegisteredTenant;
  /** What the plan was made for. */
  readonly history: History;
  readonly plan: Plan;
}

export interface ServeOptions {
  /** The first tenant of its plan: what its transaction did is looked at before it commits. */
  readonly isPilot: boolean;
  /** Takes down what each migration sends. */
  readonly takeDown?: ((name: string) => Transcript) | undefined;
}

export interface Served extends Advance {
  /** The tenant's transaction locked shared tables against others: the rest of the plan goes one at a time. */
  readonly locksShared: boolean;
}

/** What a run does to its tenants. */
export interface FleetWork {
  readonly command: string;
  readonly direction: Direction;
  /** Only tenants with one of these statuses are worked on. */
  readonly statuses: readonly string[];
  /** Goes through a plan with one tenant, statement by statement. */
  readonly serve: (due: Due, options: ServeOptions) => Promise<Served>;
  /** Statements between the tenant's lock and its history: create the schema, say. */
  readonly opening?: ((due: Due) => readonly string[]) | undefined;
  /** Statements that go with the last row of the history. */
  readonly closing: (due: Due) => readonly string[];
  readonly lanes: Lanes;
  /** What two tenants were sent may be sent to the others, where that is surely the same. */
  readonly compile: boolean;
  readonly observe: Observer;
}

/** How many tenants are gone through one after the other, in the hope of two that show what all will be sent. */
const PILOTS = 5;

/** The state of one run over its tenants. */
interface Run {
  readonly engine: Engine;
  readonly work: FleetWork;
  readonly results: TenantResult[];
  /** Tenants that another run holds. */
  readonly busy: Due[];
  readonly total: number;
  /** One at a time. */
  readonly alone: <T>(task: () => Promise<T>) => Promise<T>;
}

/**
 * Serves the tenants that are due: the first of each distinct plan alone, the others of it then side by side, as many
 * as there are lanes. Where the first two of a plan were sent the same, and surely nothing else can follow from the
 * third, the others are each sent the whole in one string. A tenant that another run is at work on is tried again
 * after the others, until the engine's lockWaitMs is over. One tenant's failure is that tenant's.
 */
export async function serveFleet(
  engine: Engine,
  dues: readonly Due[],
  work: FleetWork,
): Promise<TenantResult[]> {
  const run: Run = {
    engine,
    work,
    results: [],
    busy: [],
    total: dues.length,
    alone: pLimit(1),
  };
  const byPlan = Map.groupBy(dues, ({ plan }) => planKey(plan));
  await Promise.all([...byPlan.values()].map((same) => servePlan(run, same)));
  await serveBusy(run);
  return run.results;
}

/** Tenants with the same to be done. */
async function servePlan(run: Run, dues: readonly Due[]): Promise<void> {
  const queue = [...dues];
  const mayCompile = run.work.compile && dues.length > 2 && (await isTransactional(run, dues));
  const seen: Transcripts[] = [];
  let locksShared = false;
  for (let pilots = 0; queue.length > 0 && pilots < PILOTS && seen.length < 2; pilots += 1) {
    const due = queue.shift();
    if (due === undefined || (pilots > 0 && !mayCompile)) {
      if (due !== undefined) queue.unshift(due);
      break;
    }
    const transcripts = new Map<string, Transcript>();
    const takeDown = (name: string) => {
      const transcript = createTranscript();
      transcripts.set(name, transcript);
      return transcript;
    };
    const options = { isPilot: pilots === 0, takeDown: mayCompile ? takeDown : undefined };
    const served = await run.work.lanes.run(() => attempt(run, due, options));
    if (served === undefined) continue;
    locksShared ||= served.locksShared;
    if (served.outcome === 'done' && served.done.length === due.plan.steps.length) seen.push(transcripts);
    // What keeps one tenant from being sent the whole keeps the others, too.
    if (seen.length > 0 && [...transcripts.values()].some(({ dependence }) => dependence !== undefined))
      break;
  }
  if (queue.length === 0) return;
  const oneAtATime = locksShared ? run.alone : (task: () => Promise<void>) => task();
  const compiled = mayCompile ? compiledFrom(run, dues, seen) : undefined;
  const rest = compiled === undefined ? queue : await sendWhole(run, queue, compiled, locksShared);
  await Promise.all(
    rest.map((due) =>
      oneAtATime(() =>
        run.work.lanes.run(async () => {
          await attempt(run, due, { isPilot: false });
        }),
      ),
    ),
  );
}

/** Whether every migration of the plan runs within the tenant's transaction. */
async function isTransactional({ engine, work }: Run, [due]: readonly Due[]): Promise<boolean> {
  const migrations = await Promise.all(due?.plan.steps.map((step) => engine.load(step.file)) ?? []);
  return migrations.every((migration) => runsInTransaction(migration, work.direction));
}

function compiledFrom(
  { work }: Run,
  [due]: readonly Due[],
  [first, second]: readonly Transcripts[],
): CompiledPlan | undefined {
  if (due === undefined || first === undefined) return undefined;
  const compiled = compile(due.plan, work.direction, first, second ?? first);
  if (!('reason' in compiled)) return second === undefined ? undefined : compiled;
  work.observe({
    type: 'note',
    message: `${compiled.migration} is gone through with every tenant: ${compiled.reason}.`,
  });
  return undefined;
}

/** @returns the tenants that have to be gone through statement by statement */
async function sendWhole(
  run: Run,
  dues: readonly Due[],
  compiled: CompiledPlan,
  locksShared: boolean,
): Promise<readonly Due[]> {
  const { work } = run;
  const done = compiled.steps.map(({ name }) => name);
  const { interactive, left } = await sendToAll(run.engine, dues, compiled, {
    lanes: work.lanes,
    isAlone: locksShared,
    statuses: work.statuses,
    opening: work.opening,
    closing: work.closing,
    onDone(due, startedAt) {
      const served: Advance = {
        outcome: 'done',
        done,
        batch: due.plan.batch,
        warnings: [],
        isCommitted: true,
      };
      report(run, toResult(due, served, Date.now() - startedAt, work.direction));
    },
  });
  for (const due of left) skip(run, due);
  return interactive;
}

/** Serves one tenant, unless the run was told to stop; undefined then. */
async function attempt(run: Run, due: Due, options: ServeOptions): Promise<Served | undefined> {
  if (run.engine.signal?.aborted) {
    skip(run, due);
    return undefined;
  }
  const started = Date.now();
  const end = run.work.lanes.begin();
  const served = await run.work.serve(due, options);
  if (served.outcome === 'busy') run.busy.push(due);
  else {
    end(served.error);
    await finish(run, due, started, served);
  }
  return served;
}

async function finish(run: Run, due: Due, started: number, served: Advance): Promise<void> {
  const { engine, work } = run;
  const result = toResult(due, served, Date.now() - started, work.direction);
  // Somebody else at work is no failure of the tenant.
  if (result.outcome === 'failed' && result.error !== undefined && result.error.code !== 'LOCK_TIMEOUT') {
    await recordFailure(engine.database, due.tenant.schema, work.command, result.error).catch(
      (error: unknown) => {
        work.observe({ type: 'warning', message: `The failure could not be recorded: ${String(error)}` });
      },
    );
  }
  report(run, result);
}

function report({ results, work, total }: Run, result: TenantResult): void {
  results.push(result);
  work.observe({ type: 'tenant', result, done: results.length, due: total });
}

function skip({ results }: Run, due: Due): void {
  results.push(untouched(due.tenant, 'skipped', { reason: 'the run was interrupted' }));
}

/** Tenants that another run holds: asked again and again, until it is done with them or the wait is over. */
async function serveBusy(run: Run): Promise<void> {
  const { engine, work, busy } = run;
  if (busy.length === 0) return;
  work.observe({
    type: 'phase',
    message: `Waiting for another run that is at work on ${busy.length} of the tenants`,
  });
  const wait = createLockWait(engine);
  for (const due of busy) {
    const started = Date.now();
    for (;;) {
      const served = await work.serve(due, { isPilot: true });
      if (served.outcome !== 'busy') {
        await finish(run, due, started, served);
        break;
      }
      const reason = await wait(due.tenant.clerkOrgId).catch(toTenantctlError);
      if (reason?.code === 'INTERRUPTED') {
        skip(run, due);
        break;
      }
      if (reason !== undefined) {
        await finish(run, due, started, { ...served, outcome: 'failed', error: reason });
        break;
      }
    }
  }
}

/** Tenants with the same key have the same to be done. */
export function planKey(plan: Plan): string {
  return plan.steps.map((step) => step.name).join('\n');
}

function toResult(due: Due, served: Advance, durationMs: number, direction: Direction): TenantResult {
  const base = {
    clerkOrgId: due.tenant.clerkOrgId,
    schema: due.tenant.schema,
    names: served.done,
    batch: served.done.length === 0 ? 0 : served.batch,
    durationMs,
  };
  switch (served.outcome) {
    case 'failed':
      return { ...base, outcome: 'failed', error: served.error };
    case 'status':
      return {
        ...base,
        outcome: 'skipped',
        reason: `its status is ${served.status ?? 'gone from the registry'} now`,
      };
    default: {
      const changed = direction === 'up' ? 'migrated' : 'rolled-back';
      return { ...base, outcome: served.done.length === 0 ? 'up-to-date' : changed };
    }
  }
}

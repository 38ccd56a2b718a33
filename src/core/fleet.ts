import pLimit from 'p-limit';
import { createTranscript, type Transcript } from '../db/transcript.ts';
import { watchBlockers } from './blockers.ts';
import type { Engine } from './engine.ts';
import { serveLater } from './fleet-later.ts';
import { attempt, report, skip, untried, type Run, type Unfinished } from './fleet-run.ts';
import { planKey, toResult, type Due, type FleetWork } from './fleet-work.ts';
import { runsInTransaction } from './migrations/action.ts';
import type { Advance } from './migrations/assignment.ts';
import { compile, type CompiledPlan, type Transcripts } from './migrations/compiled.ts';
import type { TenantResult } from './results.ts';
import { sendToAll } from './send-to-all.ts';

/** How many tenants are gone through one after the other, in the hope of two that show what all will be sent. */
const PILOTS = 5;

/**
 * Serves the tenants that are due: the first of each distinct plan alone, the others of it then side by side, as many
 * as there are lanes. Where the first two of a plan were sent the same, and surely nothing else can follow from the
 * third, the others are each sent the whole in one string. A tenant that another run is at work on is tried again
 * after the others, until the engine's lockWaitMs is over; one whose error may pass is tried again after the others, as
 * often as the engine's retries say. One tenant's failure is that tenant's.
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
    again: [],
    blockers: watchBlockers(engine.database, engine.lockTimeoutMs),
    total: dues.length,
    alone: pLimit(1),
  };
  const byPlan = Map.groupBy(dues, ({ plan }) => planKey(plan));
  try {
    await Promise.all([...byPlan.values()].map((same) => servePlan(run, same)));
    await serveLater(run);
  } finally {
    run.blockers.stop();
  }
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
    const served = await run.work.lanes.run(() => attempt(run, untried(due), options));
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
  const rest =
    compiled === undefined
      ? queue.map((due) => untried(due))
      : await sendWhole(run, queue, compiled, locksShared);
  await Promise.all(
    rest.map((unfinished) =>
      oneAtATime(() =>
        run.work.lanes.run(async () => {
          await attempt(run, { ...unfinished, isAlone: locksShared }, { isPilot: false });
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
): Promise<readonly Unfinished[]> {
  const { work } = run;
  const done = compiled.steps.map(({ name }) => name);
  const { interactive, left } = await sendToAll(run.engine, dues, compiled, {
    lanes: work.lanes,
    isAlone: locksShared,
    statuses: work.statuses,
    opening: work.opening,
    closing: work.closing,
    onDone(due, durationMs) {
      const served: Advance = {
        outcome: 'done',
        done,
        batch: due.plan.batch,
        warnings: [],
        isCommitted: true,
      };
      report(run, toResult(due, served, durationMs, work.direction));
    },
  });
  for (const due of left) skip(run, due);
  return interactive.map(({ due, isLost }) => untried(due, { mayBeCommitted: isLost }));
}

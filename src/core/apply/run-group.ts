import type { PoolClient } from 'pg';
import { READ_ONLY, type OpenTransaction } from '../../db/transaction.ts';
import type { SchemaBefore } from '../guard/before.ts';
import { assertWithinSchema, crossBorder, isCulpritKnown, startWatch, type Watch } from '../guard/guard.ts';
import { beginOnNodes, endOnNodes } from '../guard/on-nodes.ts';
import { isOutsideSchema } from '../guard/errors.ts';
import { reachesOutside } from '../guard/one-at-a-time.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import { moveExtensions } from './extensions.ts';
import type { Migration } from '../files/load.ts';
import type { Target } from '../target/target.ts';
import type { TargetJob } from './assignment.ts';
import { giveControl, regainControlAtEnd, regainControl } from '../target/control.ts';
import { restoreSettings } from '../target/settings.ts';
import { recordStep } from '../target/write-history.ts';
import type { Segment } from './segment.ts';
import { needsCommit } from '../statements/needs-commit.ts';
import { LOCK_ONLY } from './under-lock.ts';
import { recordSteps } from '../state/scripts.ts';
import { stampOf } from '../stamps/stamps.ts';

/**
 * Runs a segment in the open transaction and commits it, up to the first migration that needs a COMMIT before
 * the next one.
 * @param schemaBefore absent for the master schema
 * @returns whether it was the last segment and is complete
 */
export async function runGroup(
  job: TargetJob,
  transaction: OpenTransaction,
  segment: Segment,
  schemaBefore: SchemaBefore | undefined,
): Promise<boolean> {
  const { context, target, assignment, progress } = job;
  const { client } = transaction;
  const all = actsOf(segment);
  let acts = all;
  let records: string[] = [];
  let finish = () => {};
  if (acts.length > 0) {
    const start = schemaBefore && { client, target, schemaBefore, savepoint: LOCK_ONLY };
    // Without marks the guard can only tell that one of several migrations reached outside.
    const isMarking = progress.suspicion !== undefined || reachesOutside(segment.migrations);
    const watch = start && (await startWatch(context, start, isMarking));
    const sent = await runAll(job, client, acts, watch);
    ({ records, finish } = sent);
    acts = acts.slice(0, sent.texts.length);
    // An error at the end (a deferred constraint) may come from any of them.
    if (acts.length > 1) progress.atWork = acts.map(({ migration }) => migration.file.name).join(', ');
    if (watch !== undefined) {
      await keepToSchema(job, migrationsOf(acts), watch, sent);
      records = [];
    }
    await assignment.beforeCommit?.(client);
    finish();
  }
  const steps = acts.flatMap(({ step }) => step ?? []);
  const names = namesOf(steps);
  const isLast = segment.isLast && acts.length === all.length;
  const hasMade = assignment.opening !== undefined && isLast && progress.names.length === 0;
  const { dataChange } = assignment;
  const own = steps.filter((step) => !isSeed(step));
  const deed = { direction: assignment.direction, names: namesOf(own), batch: progress.batch };
  await transaction.commitWith([
    ...regainControlAtEnd(target),
    ...records,
    ...(dataChange === undefined && target.scope === 'tenants'
      ? recordSteps(own, { schema: target.schema, run: context.run?.id })
      : []),
    ...(names.length > 0 || hasMade
      ? (dataChange?.record(target, names) ?? recordInLedger(context.run?.id, target, deed))
      : []),
    // A later segment would undo the stamp.
    ...(isLast && dataChange === undefined ? stampOf(target) : []),
    ...(acts.length > 0 ? endOnNodes(context.database, target) : []),
    ...(isLast ? (assignment.closing ?? []) : []),
    ...(schemaBefore === undefined ? [] : [READ_ONLY]),
  ]);
  progress.atWork = undefined;
  progress.names.push(...names);
  progress.hasHooked = true;
  return isLast;
}

function isSeed({ file }: Pick<Migration, 'file'>): boolean {
  return file.kind === 'seed';
}

function namesOf(steps: Segment['steps']): string[] {
  return steps.map(({ name }) => name);
}

/** Whether it has a row in the history. */
function isMigration({ file }: Pick<Migration, 'file'>): boolean {
  return file.kind !== 'seed' && file.script === undefined;
}

/** What a transaction runs: a step of the plan, or a hook. */
interface Act {
  readonly migration: Migration;
  readonly step?: Segment['steps'][number] | undefined;
}

function actsOf({ before, steps, migrations, after }: Segment): Act[] {
  const hook = (migration: Migration | undefined) => (migration === undefined ? [] : [{ migration }]);
  const all = migrations.map((migration, at) => ({ migration, step: steps[at] }));
  return [...hook(before), ...all, ...hook(after)];
}

function migrationsOf(acts: readonly Act[]): Migration[] {
  return acts.map(({ migration }) => migration);
}

interface Sent {
  /** What each act has sent. */
  readonly texts: readonly string[][];
  /** The statements that record the last one. */
  readonly records: string[];
  /** Throws if one of them has left something behind. */
  readonly finish: () => void;
}

/** Runs the migrations in order, up to one that needs a COMMIT. */
async function runAll(
  { context, target, assignment, progress }: TargetJob,
  client: PoolClient,
  acts: readonly Act[],
  watch: Watch | undefined,
): Promise<Sent> {
  const { direction } = assignment;
  const migrations = migrationsOf(acts);
  const isLast = (index: number) => acts.slice(index + 1).every(({ step }) => step === undefined);
  const sent: string[][] = [];
  const finishes: (() => void)[] = [];
  const shared = {};
  let records: string[] = [];
  let completed = 0;
  for (const [index, { migration, step }] of acts.entries()) {
    // Records the previous migration, and resets what it may have set.
    const restored = restoreSettings(sent.at(-1) ?? [], context.database, context);
    const isGiven = index === 0 && target.role === undefined;
    const onNodes = beginOnNodes(context.database, target);
    const between = isGiven ? onNodes : [...records, ...restored, ...onNodes, ...giveControl(target)];
    const behind = sendBetween(client, target, watch, migrations.slice(0, index), between);
    const { atWork } = progress;
    behind.catch(() => (progress.atWork = atWork));
    progress.atWork = migration.file.name;
    progress.completed = completed;
    const recording = step && (await assignment.record?.(step.name));
    if (progress.isOneByOne === true) recording?.depends('it needs a transaction of its own');
    const texts: string[] = [];
    sent.push(texts);
    const finish = await runAction(client, context, migration, {
      target,
      direction,
      earlier: () => sent.slice(0, index).flat(),
      recording,
      shared,
      behind,
      around: assignment.around,
      onStatement: ({ text }) => texts.push(text),
    }).catch(async (error: unknown) => {
      await behind;
      throw error;
    });
    finishes.push(finish);
    if (index === 0 && progress.names.length === 0) await assignment.afterFirst?.(client);
    records = [];
    if (step === undefined) continue;
    // Seeds and repeatable scripts are no part of the history.
    const isRecorded = assignment.dataChange === undefined && isMigration(migration);
    if (isRecorded) records = [recordStep(target, direction, step.name, progress.batch)];
    completed += 1;
    if ((progress.isOneByOne === true || texts.some(needsCommit)) && !isLast(index)) break;
  }
  const finish = () => finishes.forEach((each) => each());
  return { texts: sent, records, finish };
}

/** Sends statements before the first migration, or between two. */
async function sendBetween(
  client: PoolClient,
  target: Target,
  watch: Watch | undefined,
  earlier: readonly Migration[],
  statements: readonly string[],
): Promise<void> {
  const regained = earlier.length === 0 ? [] : regainControl(target);
  if (watch !== undefined && earlier.length > 0) await crossBorder(watch, earlier, regained, statements);
  else if (statements.length > 0) await client.query([...regained, ...statements].join(';\n'));
}

/** The guard runs after the last record is written, so that it covers triggers on the history, too. */
async function keepToSchema(
  { context, target, assignment, progress }: TargetJob,
  migrations: readonly Migration[],
  watch: Watch,
  { texts, records }: Sent,
): Promise<void> {
  // Pilots get the full check, whatever the texts say.
  const isPilot = assignment.record !== undefined;
  const readings = isPilot ? [] : await Promise.all(texts.flat().map(context.readStatements));
  const guarded = {
    ...watch,
    migrations,
    direction: assignment.direction,
    columns: isPilot || readings.some(({ mayGrant }) => mayGrant),
    regain: [...regainControlAtEnd(target), ...records],
  };
  const observed = await assertWithinSchema(context, guarded).catch((error: unknown) => {
    if (isOutsideSchema(error) && !isCulpritKnown(guarded)) progress.suspicion = error;
    throw error;
  });
  if (assignment.direction === 'up') progress.locksShared ||= observed.locksShared;
  // What they did the first time remains refused.
  if (progress.suspicion !== undefined) throw progress.suspicion;
  progress.observed.push(observed);
  if (observed.hasExtension) await moveExtensions(context, watch.client, target);
}

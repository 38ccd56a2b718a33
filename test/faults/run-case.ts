import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CliResult } from '../support/cli.ts';
import { untilNobodyIsAtWork, untilNobodyIsConnected } from './backends.ts';
import { ENDS_SERVER, type Case, type Kind } from './case.ts';
import type { Databases, FaultDatabase } from './databases.ts';
import { finishJob } from './finish-job.ts';
import { judgeEnd, judgeRemains } from './judge.ts';
import { judgeFiles } from './judge-files.ts';
import { judgeLedger } from './ledger.ts';
import { start } from './program.ts';
import type { Reference } from './reference.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Stage } from './stage.ts';
import { createStrike } from './strike.ts';
import { openProxy } from './wire/proxy.ts';

export interface Verdict {
  /** Problems; empty if all guarantees held. */
  readonly findings: readonly string[];
  /** False if the command ended before the fault. */
  readonly hasStruck: boolean;
  /** The command ended by itself with all work done. */
  readonly hasSurvived: boolean;
  /** Number of schemas in which a migration outside a transaction was interrupted and reported. */
  readonly interrupted: number;
  /** Milliseconds from the end of the command until no backend was active. */
  readonly quietAfterMs: number;
}

/** Runs the command, injects the fault, then judges the aftermath and the next call. */
export async function runCase(stage: Stage, reference: Reference, one: Case): Promise<Verdict> {
  const { databases } = stage;
  const database = await databases.create(reference.template);
  // After a crash, a sequence in a copied database reuses values unless a checkpoint followed the copy: its
  // next values are in the original's WAL (nextval_internal in PostgreSQL's commands/sequence.c).
  if (ENDS_SERVER.has(one.kind)) await databases.query('CHECKPOINT');
  try {
    const struck = await callAndStrike(stage, reference, one, database);
    const remains = await takeSnapshot(database);
    const hasSurvived = struck.result?.exitCode === 0;
    const findings = new Set([
      ...struck.findings,
      ...judgeRemains(remains, reference),
      // A command that reports success must have done all its work.
      ...(hasSurvived ? judgeEnd(remains, reference) : []),
      ...(await judgeFiles(await stage.projects.backupFolder(database.name), remains, reference.start)),
      ...(await judgeLedger(database, remains, struck.pid)),
      ...(await finishJob(stage, reference, database, remains)),
    ]);
    const { hasStruck, quietAfterMs } = struck;
    return {
      findings: [...findings],
      hasStruck,
      hasSurvived,
      quietAfterMs,
      interrupted: remains.intents.length,
    };
  } finally {
    await untilNobodyIsConnected(databases, database);
    await database.drop();
  }
}

interface Struck {
  readonly findings: readonly string[];
  readonly hasStruck: boolean;
  readonly pid: number | undefined;
  readonly result: CliResult | undefined;
  readonly quietAfterMs: number;
}

/** Faults that also affect other processes, or block a tenant for the longest wait. */
const OUTLASTS_OTHERS: ReadonlySet<Kind> = new Set(['stall', 'half-close', 'full-disk', ...ENDS_SERVER]);

/** From the call until none of its work is running. */
async function callAndStrike(
  { databases, projects }: Stage,
  { scenario }: Reference,
  { kind, passing, instant }: Case,
  database: FaultDatabase,
): Promise<Struck> {
  const strike = createStrike({ kind, instant });
  const proxy = await openProxy(databases.server.port, { passing, onPoint: strike.onPoint });
  const folder = await projects.backupFolder(database.name);
  const fullFolder = `${folder}.full`;
  const env = kind === 'full-folder' ? fillableFolder(databases, folder, fullFolder) : {};
  try {
    const running = await start(projects, scenario.call, database, proxy.port, env);
    strike.aim({ running, proxy, databases, fullFolder });
    const other = scenario.isShared
      ? await start(projects, scenario.call, database, databases.server.port)
      : undefined;
    const [result, othersResult] = await Promise.all([running.done, other?.done]);
    await strike.settled();
    const endedAt = performance.now();
    const atWork = await untilNobodyIsAtWork(databases, database);
    return {
      findings: [
        ...endOf(result, strike.hasStruck),
        ...(other === undefined || OUTLASTS_OTHERS.has(kind) ? [] : endOf(othersResult, false)),
        ...atWork.map((backend) => `still at work: ${backend}`),
      ],
      hasStruck: strike.hasStruck,
      pid: running.pid,
      result,
      quietAfterMs: performance.now() - endedAt,
    };
  } finally {
    await rm(fullFolder, { force: true });
    await proxy.close();
    await untilNobodyIsConnected(databases, database);
  }
}

/** The environment of a program whose files in a folder cannot grow while the file `full` exists. */
function fillableFolder({ server }: Databases, folder: string, full: string): Record<string, string> {
  return {
    LD_PRELOAD: join(server.directory, 'full-disk.so'),
    FULL_DISK: full,
    FULL_DISK_UNDER: `${folder}/`,
  };
}

function endOf(result: CliResult | undefined, hasStruck: boolean): string[] {
  if (result === undefined) return ['the program hung'];
  if (!hasStruck && result.exitCode !== 0)
    return [`undisturbed, the program ended with ${result.exitCode}: ${result.stderr}${result.stdout}`];
  return [];
}

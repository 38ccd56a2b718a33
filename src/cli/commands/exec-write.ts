import type { Command } from 'commander';
import type { SqlOptions } from '../../core/commands/sql-script.ts';
import { writeDocument } from '../../core/documents/write-document.ts';
import type { FleetResult } from '../../core/report/results.ts';
import { TenantctlError } from '../../errors.ts';
import {
  addRunLimit,
  dryRun,
  include,
  noCompile,
  runOptions,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import { largeCount, runNumberOrLatest } from '../flags/numbers.ts';
import { addStages, rolloutOf, seconds, type RolloutFlags } from '../flags/rollout-options.ts';
import { howToResume } from '../render/run-end.ts';
import type { CommandResult } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { dryRunResult, failureOf, rolloutFailure, withRunEnd } from '../run/results.ts';

export interface WriteFlags extends FleetFlags, RolloutFlags {
  readonly write?: boolean;
  readonly resume?: number | 'latest';
  readonly allowOutside?: readonly string[];
  /** The SQL, if it is given here. */
  readonly batch?: string | true;
  /** Rows per second. */
  readonly rate?: number;
  /** Seconds. */
  readonly batchPause?: number;
  readonly maxBatches?: number;
}

/** Adds the flags of `exec --write`. */
export function addWrite(command: Command): Command {
  const write = command
    .option('--write', 'let the SQL write: in each tenant in a transaction of its own, as a migration does')
    .option('--batch [sql]', 'repeat the SQL in each tenant until it changes no rows: for backfills')
    .option(
      '--rate <rows>',
      'with --batch: change at most this many rows per second in all tenants',
      largeCount,
    )
    .option(
      '--batch-pause <seconds>',
      'with --batch: wait this long between two batches of a tenant',
      seconds,
    )
    .option(
      '--max-batches <n>',
      'with --batch: a tenant with more batches than this fails (default: 10000)',
      largeCount,
    )
    .addOption(dryRun())
    .option('--resume <run|latest>', 'continue this run: only where it has not written', runNumberOrLatest)
    .addOption(include())
    .option(
      '--allow-outside <name...>',
      "what the SQL may reach outside the tenant's schema: public.countries, or public.*",
    )
    .addOption(noCompile());
  return addStages(addRunLimit(write));
}

/** Flags that only writing has. */
const ONLY_WRITE = [
  'batch',
  'rate',
  'batchPause',
  'maxBatches',
  'dryRun',
  'resume',
  'include',
  'allowOutside',
  'keep',
  'canary',
  'wave',
  'pause',
  'check',
  'maxCanaryFailures',
  'maxFailures',
  'maxReplicaLag',
] as const;

/** @throws TenantctlError USAGE for a flag that goes with `--write` alone */
export function refuseWithoutWrite(flags: WriteFlags): void {
  const given = flags.compile === false ? 'no-compile' : ONLY_WRITE.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new TenantctlError('USAGE', `--${flag} goes with --write, which is missing.`, {
    hint: 'Without --write, the SQL only reads.',
  });
}

function refuseWithoutBatch({ rate, batchPause, maxBatches }: WriteFlags): void {
  if ([rate, batchPause, maxBatches].every((value) => value === undefined)) return;
  throw new TenantctlError(
    'USAGE',
    '--rate, --batch-pause and --max-batches go with --batch, which is missing.',
    {
      hint: 'Without --batch, the SQL runs once in each tenant. --wave and --pause slow that down.',
    },
  );
}

export async function writeCommand(
  context: Context,
  flags: WriteFlags,
  given: Pick<SqlOptions, 'sql' | 'sqlName'>,
): Promise<CommandResult> {
  const { batch, rate: rowsPerSecond, batchPause, maxBatches, resume, allowOutside } = flags;
  if (batch === undefined) refuseWithoutBatch(flags);
  const rollout = await rolloutOf(flags);
  // As in reading: wrong SQL is reported before a database that cannot be reached.
  await context.readEnvironment();
  const { destructionIn, examineBatch, sqlScript } = await import('../run/core.ts');
  const { statements } = await sqlScript(given);
  if (batch !== undefined) await examineBatch(statements);
  const destruction = flags.dryRun === true ? [] : await destructionIn(given.sql);
  if (destruction.length > 0)
    await context.confirm(`This destroys data in every selected tenant: ${destruction.join('; ')}.`);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      ...given,
      resume,
      allowOutside,
      rollout,
      observe,
    };
    if (flags.dryRun === true) return dryRunResult(context, await core.rehearseWrite(database, options));
    if (batch === undefined) return writeResult(context, await core.writeTenants(database, options));
    const batchPauseMs = batchPause && batchPause * 1_000;
    const pace = { rowsPerSecond, batchPauseMs, maxBatches };
    return writeResult(context, await core.backfillTenants(database, { ...options, ...pace }));
  });
}

function writeResult({ output }: Context, result: FleetResult): CommandResult {
  const { run: id, totals, tenants, interrupted } = result;
  const refused = tenants.filter(({ error }) => error !== undefined);
  const hint = id === undefined ? undefined : howToResume(id);
  const stopped = new TenantctlError('INTERRUPTED', 'The run was stopped before every tenant was served.', {
    hint,
  });
  return {
    document: writeDocument(result),
    text: withRunEnd(output, { id }, ({ renderWrite }, look) => renderWrite(result, output.verbose, look)),
    error: interrupted
      ? stopped
      : (rolloutFailure(result, hint) ?? failureOf(refused, totals.selected, 'failed', hint)),
    showError: false,
    interrupted,
  };
}

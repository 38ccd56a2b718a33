import type { Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import type { Concurrency } from '../../core/run/lanes.ts';
import type { Context } from '../run/context.ts';
import { count, countOrAuto, milliseconds, retries } from './numbers.ts';

/** Flags that limit how long a command waits and how often it retries. */
export interface TimeoutFlags {
  readonly lockTimeout?: number;
  readonly statementTimeout?: number;
  readonly retries?: number;
}

/** Flags for timeouts and retries. */
export interface EnduranceFlags extends TimeoutFlags {
  readonly keep?: number;
}

/** Flags that set how a command works through the tenants. */
export interface PaceFlags extends EnduranceFlags {
  readonly concurrency?: Concurrency;
  /** False with --no-compile. */
  readonly compile?: boolean;
}

/** Flags of commands on a fleet. */
export interface FleetFlags extends PaceFlags {
  readonly tenant?: readonly string[];
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly to?: string;
}

/** Flags that let a run continue although history and folder do not match. */
export interface ToleranceFlags {
  readonly allowNewerHistory?: boolean;
  readonly allowOutOfOrder?: boolean;
}

export function addSelection(command: Command): Command {
  return addPace(addTenants(command));
}

export function addTenants(command: Command): Command {
  return command.option(
    '--tenant <org or schema...>',
    'only these tenants (organization ids or schema names)',
  );
}

export function addTimeouts(command: Command): Command {
  return command
    .option(
      '--lock-timeout <ms>',
      'time that a statement may wait for a lock (default: 5000; 0: no limit)',
      milliseconds,
    )
    .option(
      '--statement-timeout <ms>',
      "time that a statement may take (default: the server's setting; 0: no limit)",
      milliseconds,
    )
    .option(
      '--retries <n>',
      'retries after a lock timeout, a deadlock or a lost connection (default: 6)',
      retries,
    );
}

export function addEndurance(command: Command): Command {
  return addTimeouts(command).option(
    '--keep <n>',
    'number of runs of this command that the ledger keeps (default: 100)',
    count,
  );
}

export function addConcurrency(command: Command): Command {
  return command.option(
    '--concurrency <n|auto>',
    'number of tenants to work on in parallel; auto adapts to throughput (default: 4)',
    countOrAuto,
  );
}

export function addPace(command: Command): Command {
  return addConcurrency(addEndurance(command)).option(
    '--no-compile',
    'run every migration statement by statement in every tenant',
  );
}

export function addTolerance(command: Command): Command {
  return command
    .option('--allow-newer-history', 'continue if the history is newer than every file')
    .option('--allow-out-of-order', 'apply files that sort before an applied one');
}

/** The flag that makes a command read the history tables instead of the stamps. */
export interface VerifyFlag {
  readonly verify?: boolean;
}

export function addVerify(command: Command): Command {
  return command.option('--verify', 'read every history table and correct wrong stamps');
}

/** The options that all functions of core take from the settings and flags, and the signal that stops them. */
export function runOptions(context: Context, settings: Settings, flags: EnduranceFlags) {
  return {
    lockTimeoutMs: flags.lockTimeout ?? settings.lockTimeoutMs,
    statementTimeoutMs: flags.statementTimeout ?? settings.statementTimeoutMs,
    retries: flags.retries ?? settings.retries,
    keepRuns: flags.keep ?? settings.keepRuns,
    lockWaitMs: settings.lockWaitMs,
    tenantRole: settings.tenantRole,
    vectorExtension: settings.vectorExtension,
    signal: context.interruption().signal,
  };
}

export function tolerance({ allowNewerHistory, allowOutOfOrder }: ToleranceFlags) {
  return { allowNewerHistory, allowOutOfOrder };
}

import { InvalidArgumentError, type Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import type { Concurrency } from '../../core/run/lanes.ts';
import type { Context } from '../run/context.ts';

/** Flags that say what a command puts up with. */
export interface EnduranceFlags {
  readonly lockTimeout?: number;
  readonly statementTimeout?: number;
  readonly retries?: number;
  readonly keep?: number;
}

/** Flags that say how fast a command goes through tenants. */
export interface PaceFlags extends EnduranceFlags {
  readonly concurrency?: Concurrency;
  /** False with --no-compile. */
  readonly compile?: boolean;
}

/** Flags of every command that works on a fleet. */
export interface FleetFlags extends PaceFlags {
  readonly tenant?: readonly string[];
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly to?: string;
}

/** Flags that let a run go on where history and folder do not fit. */
export interface ToleranceFlags {
  readonly allowNewerHistory?: boolean;
  readonly allowOutOfOrder?: boolean;
}

export function addSelection(command: Command): Command {
  return addPace(
    command.option('--tenant <org or schema...>', 'only these tenants, by organization id or schema'),
  );
}

export function addEndurance(command: Command): Command {
  return command
    .option(
      '--lock-timeout <ms>',
      'how long a statement may wait for a lock (default: 5000; 0: for ever)',
      milliseconds,
    )
    .option(
      '--statement-timeout <ms>',
      "how long a statement may take (default: the server's own; 0: for ever)",
      milliseconds,
    )
    .option(
      '--retries <n>',
      'how often to try again after a lock, a deadlock or a lost connection (default: 6)',
      retries,
    )
    .option('--keep <n>', 'how many runs of this command the ledger keeps (default: 100)', positiveInteger);
}

export function addPace(command: Command): Command {
  return addEndurance(command)
    .option(
      '--concurrency <n|auto>',
      'tenants at work at once; auto: as many as pay (default: 4)',
      concurrency,
    )
    .option('--no-compile', 'go through every migration with every tenant, statement by statement');
}

export function addTolerance(command: Command): Command {
  return command
    .option('--allow-newer-history', 'go on where the history is newer than every file')
    .option('--allow-out-of-order', 'apply a file that sorts before an applied one');
}

/** What a command reads the fleet by. */
export interface VerifyFlag {
  readonly verify?: boolean;
}

export function addVerify(command: Command): Command {
  return command.option(
    '--verify',
    'read every history table, whatever the stamps say, and put the stamps right',
  );
}

function concurrency(text: string): Concurrency {
  if (text === 'auto') return text;
  if (!isPositiveInteger(text)) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 10000, or auto.');
  }
  return Number(text);
}

export function milliseconds(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2_147_483_647) {
    throw new InvalidArgumentError('It must be a whole number of milliseconds, at most 2147483647.');
  }
  return Number(text);
}

function retries(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100) {
    throw new InvalidArgumentError('It must be a whole number from 0 to 100.');
  }
  return Number(text);
}

export function positiveInteger(text: string): number {
  if (!isPositiveInteger(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
  return Number(text);
}

function isPositiveInteger(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 10_000;
}

/** What core's functions want of the settings, and the means to watch and to stop them. */
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

export function tolerance(flags: ToleranceFlags): ToleranceFlags {
  return {
    ...(flags.allowNewerHistory !== undefined && { allowNewerHistory: flags.allowNewerHistory }),
    ...(flags.allowOutOfOrder !== undefined && { allowOutOfOrder: flags.allowOutOfOrder }),
  };
}

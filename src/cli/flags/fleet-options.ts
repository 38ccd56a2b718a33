import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import type { Concurrency } from '../../core/run/lanes.ts';
import { INCLUDABLE } from '../../names.ts';
import type { Context } from '../run/context.ts';
import { tenantNames } from './list.ts';
import { count, countOrAuto, milliseconds, retries } from './numbers.ts';

/** Flags of commands that work on schemas. Each command has a subset. */
export interface FleetFlags {
  readonly lockTimeout?: number;
  readonly statementTimeout?: number;
  readonly retries?: number;
  readonly keep?: number;
  readonly tenant?: readonly string[];
  readonly include?: 'suspended';
  readonly concurrency?: Concurrency;
  readonly compile?: boolean;
  readonly to?: string;
  readonly dryRun?: boolean;
  /** Rollback: undo everything. List: show every tenant. */
  readonly all?: boolean;
  readonly verify?: boolean;
  readonly allowNewerHistory?: boolean;
  readonly allowOutOfOrder?: boolean;
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

/** Adds the flags of a command that changes schemas and is recorded as a run. */
export function addRun(command: Command): Command {
  return addRunLimit(addTimeouts(command));
}

export function addRunLimit(command: Command): Command {
  return command.option(
    '--keep <n>',
    'number of runs of this command that the ledger keeps (default: 100)',
    count,
  );
}

/** Adds the flags of a command that changes many tenants. */
export function addFleetRun(command: Command): Command {
  return addRun(command)
    .addOption(concurrency())
    .addOption(
      noCompile('run every migration statement by statement in every tenant; use and keep no recordings'),
    );
}

export function noCompile(description = 'send the SQL statement by statement to every tenant'): Option {
  return new Option('--no-compile', description);
}

export function concurrency(): Option {
  return new Option(
    '--concurrency <n|auto>',
    'number of tenants to work on in parallel; auto adapts to throughput (default: 4)',
  ).argParser(countOrAuto);
}

export function selection(): Option {
  return new Option(
    '--tenant <org or schema...>',
    'only these tenants: organization ids or schema names, separated by spaces or commas',
  ).argParser(tenantNames);
}

/** More tenants than the ACTIVE ones. */
export function include(): Option {
  return new Option('--include <status>', 'also tenants with this status, besides the ACTIVE ones').choices(
    INCLUDABLE.map((status) => status.toLowerCase()),
  );
}

export function dryRun(): Option {
  return new Option('--dry-run', 'print the SQL that would run; change nothing');
}

export function verify(): Option {
  return new Option('--verify', 'read every history table and correct wrong stamps');
}

/** Adds the flags that allow history and directory to differ. */
export function addTolerance(command: Command): Command {
  return command
    .option('--allow-newer-history', 'continue if the history is newer than every file')
    .option('--allow-out-of-order', 'apply files that sort before an applied one');
}

/** Flags and settings as options of core; undefined for flags that a command lacks. */
export function runOptions(context: Context, settings: Settings, flags: FleetFlags) {
  return {
    lockTimeoutMs: flags.lockTimeout ?? settings.lockTimeoutMs,
    statementTimeoutMs: flags.statementTimeout ?? settings.statementTimeoutMs,
    retries: flags.retries ?? settings.retries,
    keepRuns: flags.keep ?? settings.keepRuns,
    recordings: settings.recordings,
    runLabel: settings.runLabel,
    lockWaitMs: settings.lockWaitMs,
    tenantRole: settings.tenantRole,
    repeatableFolder: settings.folders.repeatable,
    vectorExtension: settings.vectorExtension,
    signal: context.interruption.signal,
    tenants: flags.tenant,
    include: flags.include && INCLUDABLE.filter((status) => status.toLowerCase() === flags.include),
    concurrency: flags.concurrency,
    compile: flags.compile,
    allowNewerHistory: flags.allowNewerHistory,
    allowOutOfOrder: flags.allowOutOfOrder,
  };
}

/** The master folder, if it exists: another tool may maintain the registry. */
export function masterFolderOf(settings: Settings): string | undefined {
  return existsSync(settings.folders.master) ? settings.folders.master : undefined;
}

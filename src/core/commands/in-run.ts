import type { Database } from '../../db/database.ts';
import { withRun, type RecordedRun, type RunCommand, type RunEnding } from '../ledger/recorded-run.ts';
import { checkOptions } from '../options/check-options.ts';
import type { RollbackExtent, RunExtent } from '../plan/rollback-extent.ts';
import { silent, type Observer } from '../report/event.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import type { Concurrency } from '../run/lanes.ts';
import { createRunContext, type RunContext, type RunOptions } from '../run/run-context.ts';

/** What a command works with while its run is recorded. */
export interface CommandRun<Options> {
  /** What was asked for, checked. */
  readonly options: Options;
  readonly context: RunContext;
  readonly run: RecordedRun;
  readonly observe: Observer;
}

/**
 * Runs a command, and records in the ledger what it was asked for and how it ended.
 * @throws TenantctlError USAGE for options that make no sense, and whatever `use` throws
 */
export async function inRun<Options extends CommandOptions, T extends object>(
  database: Database,
  command: RunCommand,
  given: Options,
  endingOf: (value: T) => RunEnding,
  use: (commandRun: CommandRun<Options>) => Promise<T>,
): Promise<T & { readonly run?: number }> {
  const options = checkOptions(given, 'folder');
  const { keepRuns: keep, observe = silent } = options;
  return withRun(
    database,
    { command, options: askedOf(options), keep, observe },
    (run) => use({ options, context: createRunContext(database, options, run), run, observe }),
    endingOf,
  );
}

/** The ledger remembers up to so many tenants by name; more are counted. */
const NAMED = 50;

type CommandOptions = RunOptions &
  Asked & { readonly folder: string; readonly observe?: Observer | undefined };

/** The options of a command that are recorded. */
interface Asked {
  readonly to?: string | undefined;
  readonly extent?: RollbackExtent | RunExtent | undefined;
  readonly tenants?: readonly string[] | undefined;
  readonly retryFailed?: number | true | undefined;
  readonly concurrency?: Concurrency | undefined;
  readonly compile?: boolean | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
  readonly rollout?: RolloutOptions | undefined;
}

/** What was asked for: nothing about how to reach the database, and nothing that was not set. */
function askedOf(options: Asked): Record<string, unknown> {
  const { tenants, extent } = options;
  return {
    ...(options.to !== undefined && { to: options.to }),
    ...(extent !== undefined && ('run' in extent ? { run: extent.run } : extent)),
    ...(tenants !== undefined && (tenants.length <= NAMED ? { tenants } : { tenantCount: tenants.length })),
    ...(options.retryFailed !== undefined && { retryFailed: options.retryFailed }),
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    ...(options.compile === false && { compile: false }),
    ...(options.allowNewerHistory === true && { allowNewerHistory: true }),
    ...(options.allowOutOfOrder === true && { allowOutOfOrder: true }),
    ...(options.rollout !== undefined && { rollout: rolloutAsked(options.rollout) }),
  };
}

/** A check is recorded by its name, without its query. */
function rolloutAsked({ check, ...rest }: RolloutOptions): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, ...(check !== undefined && { check: check.name }) };
}

import { resolve } from 'node:path';
import type { Database } from '../../db/database.ts';
import { loadHooks } from '../files/load-hooks.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import type { RunCommand } from '../ledger/run-rows.ts';
import { listed } from '../../wording.ts';
import { checkCall } from '../options/check-call.ts';
import type { RollbackExtent, RunExtent } from '../plan/rollback-extent.ts';
import { observeRun, silent, type Observer } from '../report/event.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import type { Concurrency } from '../run/lanes.ts';
import { isWarning, renderNotice, type MigrationNotice } from '../report/notices.ts';
import { openKeptRecordings } from '../recordings/kept-recordings.ts';
import { createRunContext, type RunContext, type RunOptions } from '../run/run-context.ts';

export interface CommandRun<Options> {
  readonly options: Options;
  readonly context: RunContext;
  readonly run: RecordedRun;
  readonly observe: Observer;
}

/**
 * Runs and records a command. @throws TenantctlError USAGE for inconsistent options, and what `use` throws
 */
export async function inRun<Options extends CommandOptions, T extends object>(
  database: Database,
  command: RunCommand,
  given: Options,
  endingOf: (value: T) => RunEnding,
  use: (commandRun: CommandRun<Options>) => Promise<T>,
): Promise<T & { readonly run?: number; readonly notices?: readonly MigrationNotice[] }> {
  const options = checkCall(database, given, ...(command === 'exec' ? [] : (['folder'] as const)));
  const { keepRuns: keep, runLabel: label, observe: heard = silent } = options;
  return withRun(
    database,
    { command, options: askedOf(options), label, keep, observe: heard },
    async (run) => {
      const observe = observeRun(heard, run);
      const hooks = options.hooks === undefined ? undefined : await loadHooks(options.hooks);
      const kept = keptFor(database, command, options);
      const context = { ...createRunContext(database, options, run, kept), hooks };
      try {
        const value = await use({ options, context, run, observe });
        const notices = context.notices.list();
        return { ...value, ...(notices.length > 0 && { notices }) };
      } finally {
        warnOfSilent(context, observe);
        for (const message of context.warnings) observe({ type: 'warning', message });
        for (const notice of context.notices.list())
          observe({
            type: isWarning(notice) ? 'warning' : 'note',
            message: renderNotice(notice),
          });
      }
    },
    (value) => ({ ...endingOf(value), ...(value.notices && { notices: value.notices }) }),
  );
}

/** The kept recordings; none for the master schema and for seeds, and if each migration is to run for each tenant. */
function keptFor(database: Database, command: RunCommand, options: CommandOptions) {
  const { compile, folder, observe = silent, recordings, tenantRole } = options;
  const isOn = compile !== false && recordings !== false && database.acceptsScripts;
  return isOn && folder !== undefined && !command.endsWith(' master') && command !== 'seed tenants'
    ? openKeptRecordings(database, { tenantRole, directory: resolve(folder) }, observe)
    : undefined;
}

/** Warns of migrations that sent nothing to any target, once for all targets. */
function warnOfSilent({ sent }: RunContext, observe: Observer): void {
  const silent = [...sent.up].filter(([, hasSent]) => !hasSent).map(([name]) => name);
  if (silent.length === 0) return;
  const message = `${listed(silent)} sent nothing to the database. Is it filled in, and does it await or return each query?`;
  observe({ type: 'warning', message });
}

/** The ledger stores at most this many tenant names; more are only counted. */
const NAMED = 50;

export interface HooksOption {
  /** The path of a hooks file (see TenantHooks); no hooks are called if absent. */
  readonly hooks?: string | undefined;
}

export interface FleetRunOptions extends RunOptions {
  /** The folder of the tenant migrations. */
  readonly folder: string;
  /** Tenants migrated in parallel; if absent 4, or fewer if few connections are free. */
  readonly concurrency?: Concurrency | undefined;
  /** If false, every migration is run for every tenant, statement by statement. */
  readonly compile?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

interface CommandOptions extends Omit<FleetRunOptions, 'folder'>, HooksOption {
  /** What to record beside the options that commands share. */
  readonly recorded?: Readonly<Record<string, unknown>>;
  readonly folder?: string | undefined;
  readonly to?: string | undefined;
  readonly extent?: RollbackExtent | RunExtent | undefined;
  readonly tenants?: readonly string[] | undefined;
  readonly retryFailed?: number | true | undefined;
  readonly include?: readonly string[] | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
  readonly rollout?: RolloutOptions | undefined;
}

/** The names of a command's tenants, to record. */
export function namesOf(tenants: readonly string[] | undefined): Record<string, unknown> {
  return tenants !== undefined && tenants.length > NAMED ? { tenantCount: tenants.length } : { tenants };
}

/** The options to record, without connection settings. A check is recorded by name, without its query. */
function askedOf(options: CommandOptions): Record<string, unknown> {
  const { to, extent, tenants, retryFailed, include, concurrency, rollout } = options;
  return {
    ...options.recorded,
    to,
    ...extent,
    ...namesOf(tenants),
    retryFailed,
    include,
    concurrency,
    ...(options.compile === false && { compile: false }),
    ...(options.recordings === false && { recordings: false }),
    ...(options.allowNewerHistory === true && { allowNewerHistory: true }),
    ...(options.allowOutOfOrder === true && { allowOutOfOrder: true }),
    rollout: rollout && { ...rollout, check: rollout.check?.name },
  };
}

import type { Command } from 'commander';
import { runDocument, runTenantDocument } from '../../core/documents/run-document.ts';
import { count, runNumberOrLatest } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface RunsFlags {
  readonly limit?: number;
}

interface ShowFlags {
  readonly all?: boolean;
}

export function addRuns(program: Command, register: Register): void {
  const runs = program
    .command('runs')
    .description('list what earlier commands did to the fleet, newest first')
    .option('--limit <n>', 'number of runs to list (default: 20)', count);
  register(runs, 'runs', listRuns);

  const show = runs
    .command('show')
    .description('show one run')
    .argument('<id>', 'number of the run, or latest', runNumberOrLatest)
    .option('--all', 'list every tenant that it worked on, not only those that failed');
  register(show, 'runs show', showRun);
}

function listRuns(context: Context, flags: RunsFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    const runs = await core.readRuns(database, flags);
    return {
      document: { runs: runs.map(runDocument) },
      text: ({ renderRuns }, look) => renderRuns(runs, look),
    };
  });
}

function showRun(context: Context, flags: ShowFlags, [id]: readonly unknown[]): Promise<CommandResult> {
  const all = flags.all === true;
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    const run = await core.readRun(database, id === 'latest' ? id : Number(id));
    const tenants = await core.readRunTenants(database, run.id, { onlyFailed: !all });
    const undone = await core.readUndone(database, run.id);
    return {
      document: {
        run: {
          ...runDocument(run),
          ...(undone !== undefined && { undone }),
          tenants: tenants.map(runTenantDocument),
        },
      },
      text: ({ renderRun }, look) =>
        renderRun(run, { tenants, undone, verbose: all || context.output.verbose }, look),
    };
  });
}

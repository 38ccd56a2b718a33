import type { Command } from 'commander';
import { runDocument } from '../../core/documents/run-document.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Context } from '../run/context.ts';
import { count } from '../flags/numbers.ts';
import type { Register } from '../run/register.ts';

/** `tenantctl runs` lists; its verbs are added to what this returns. */
export function addRuns(program: Command, register: Register): Command {
  const command = program
    .command('runs')
    .description('list what earlier commands did to the fleet, newest first')
    .option('--limit <n>', 'number of runs to list (default: 20)', count);
  register(command, 'runs', runsCommand);
  return command;
}

export async function runsCommand(
  context: Context,
  flags: { readonly limit?: number },
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database) => {
    const { readRuns } = await import('../../core/ledger/read-runs.ts');
    const runs = await readRuns(database, flags);
    return {
      document: { runs: runs.map(runDocument) },
      text: async () => (await import('../render/runs.ts')).renderRuns(runs, context.output.paint),
    };
  });
}

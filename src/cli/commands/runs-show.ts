import type { Command } from 'commander';
import { runDocument, runTenantDocument } from '../../core/documents/run-document.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Context } from '../run/context.ts';
import { runNumber } from '../flags/numbers.ts';
import type { Register } from '../run/register.ts';

export function addRunsShow(group: Command, register: Register): void {
  const command = group
    .command('show')
    .description('show one run')
    .argument('<id>', 'number of the run', runNumber)
    .option('--all', 'list every tenant that it worked on, not only those that failed');
  register(command, 'runs show', runsShowCommand);
}

export async function runsShowCommand(
  context: Context,
  flags: { readonly all?: boolean },
  [id]: readonly unknown[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database) => {
    const { readRun, readRunTenants } = await import('../../core/ledger/read-runs.ts');
    const run = await readRun(database, Number(id));
    const tenants = await readRunTenants(database, run.id, { onlyFailed: flags.all !== true });
    return {
      document: { run: { ...runDocument(run), tenants: tenants.map(runTenantDocument) } },
      text: async () => (await import('../render/runs.ts')).renderRun(run, tenants, context.output.paint),
    };
  });
}

import type { Command } from 'commander';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import { dryRunResult } from './dry-run-result.ts';
import { addEndurance, runOptions, type EnduranceFlags } from '../flags/fleet-options.ts';
import { addExtent, extentOf, type ExtentFlags } from '../flags/rollback-extent.ts';
import type { Register } from '../run/register.ts';
import { masterDocument } from '../../core/documents/fleet-document.ts';

export function addRollbackMaster(group: Command, register: Register): void {
  const command = group.command('master').description('undo the last batch of master migrations');
  register(addEndurance(addExtent(command)), 'rollback master', rollbackMasterCommand);
}

export async function rollbackMasterCommand(
  context: Context,
  flags: ExtentFlags & EnduranceFlags,
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings) => {
    const { planMasterRollback, rollbackMaster } = await import('../../core/commands/rollback-master.ts');
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.master,
      extent: extentOf(flags),
    };
    if (flags.dryRun === true) {
      const { rehearseMasterRollback } = await import('../../core/commands/rehearse.ts');
      return dryRunResult(await rehearseMasterRollback(database, options), context);
    }
    if (flags.all === true) {
      const { plan } = await planMasterRollback(database, options);
      if (plan.steps.length > 0) {
        await context.confirm(
          `This undoes every master migration (${plan.steps.map((step) => step.name).join(', ')}) and destroys what they hold.`,
        );
      }
    }
    const result = await context.withProgress((observe) => rollbackMaster(database, { ...options, observe }));
    return {
      document: masterDocument(result, 'reverted'),
      text: async () =>
        (await import('../render/fleet.ts')).renderMaster(result, 'Undone', context.output.paint),
    };
  });
}

import type { Command } from 'commander';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import {
  addEndurance,
  addTolerance,
  runOptions,
  tolerance,
  type EnduranceFlags,
  type ToleranceFlags,
} from '../flags/fleet-options.ts';
import { dryRunResult } from './dry-run-result.ts';
import type { Register } from '../run/register.ts';
import { masterDocument } from '../../core/documents/fleet-document.ts';

export interface MigrateMasterFlags extends ToleranceFlags, EnduranceFlags {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly changeNames?: boolean;
}

export function addMigrateMaster(group: Command, register: Register): void {
  const command = group
    .command('master')
    .description('apply pending master migrations in the schema public')
    .option('--to <name>', 'apply migrations up to and including this one')
    .option('--dry-run', 'print the SQL that would run; change nothing')
    .option(
      '--change-names',
      'the registry or a history table was renamed: record the names that are configured now',
    );
  register(addEndurance(addTolerance(command)), 'migrate master', migrateMasterCommand);
}

export async function migrateMasterCommand(
  context: Context,
  flags: MigrateMasterFlags,
): Promise<CommandResult> {
  const { migrateMaster } = await import('../../core/commands/migrate-master.ts');
  return context.withDatabase(undefined, async (database, settings) =>
    context.withProgress(async (observe) => {
      const options = {
        ...runOptions(context, settings, flags),
        ...tolerance(flags),
        folder: settings.folders.master,
        to: flags.to,
        changeNames: flags.changeNames,
        observe,
      };
      if (flags.dryRun === true) {
        const { rehearseMaster } = await import('../../core/commands/rehearse.ts');
        return dryRunResult(await rehearseMaster(database, options), context);
      }
      const result = await migrateMaster(database, options);
      return {
        document: masterDocument(result, 'applied'),
        text: async () =>
          (await import('../render/fleet.ts')).renderMaster(result, 'Applied', context.output.paint),
      };
    }),
  );
}

import { Option, type Command } from 'commander';
import type { Context } from '../run/context.ts';
import { counted, listed } from '../../wording.ts';
import type { CommandResult } from '../run/command-result.ts';
import { dryRunResult } from './dry-run-result.ts';
import { addSelection, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { runNumber } from '../flags/numbers.ts';
import { addExtent, extentOf, type ExtentFlags } from '../flags/rollback-extent.ts';
import type { Register } from '../run/register.ts';
import { fleetCommandResult } from './fleet-result.ts';

interface RunFlag {
  readonly run?: number;
}

export function addRollbackTenants(group: Command, register: Register): void {
  const command = group.command('tenants').description('undo the last batch of each ACTIVE tenant');
  addExtent(command).addOption(
    new Option('--run <id>', 'undo exactly what this run of migrate tenants applied')
      .argParser(runNumber)
      .conflicts(['all', 'to']),
  );
  register(addSelection(command), 'rollback tenants', rollbackTenantsCommand);
}

export async function rollbackTenantsCommand(
  context: Context,
  flags: FleetFlags & ExtentFlags & RunFlag,
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings) => {
    const { rollbackTenants } = await import('../../core/commands/rollback-tenants.ts');
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.tenants,
      extent: flags.run === undefined ? extentOf(flags) : { run: flags.run },
      tenants: flags.tenant,
      concurrency: flags.concurrency,
      compile: flags.compile,
    };
    if (flags.dryRun === true) {
      const { rehearseTenantsRollback } = await import('../../core/commands/rehearse.ts');
      return dryRunResult(await rehearseTenantsRollback(database, options), context);
    }
    if (flags.all === true) {
      const { planTenantsRollback } = await import('../../core/fleet/plan-rollback.ts');
      const { plan } = await planTenantsRollback(database, options);
      if (plan.due.length > 0) {
        const names = plan.due.map(({ tenant }) => tenant.clerkOrgId);
        await context.confirm(
          `This undoes every migration of ${counted(plan.due.length, 'tenant')} (${listed(names, 10)}) and destroys what they hold.`,
        );
      }
    }
    const result = await context.withProgress((observe) =>
      rollbackTenants(database, { ...options, observe }),
    );
    return fleetCommandResult(context, result, 'reverted', false);
  });
}

import type { Command } from 'commander';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import { dryRunResult } from './dry-run-result.ts';
import { runNumber } from '../flags/numbers.ts';
import { addSelection, addTolerance, addVerify } from '../flags/fleet-options.ts';
import { addRollout, rolloutOf } from '../flags/rollout-options.ts';
import type { Register } from '../run/register.ts';
import { fleetCommandResult } from './fleet-result.ts';
import { type MigrateTenantsFlags, migrateTenantsOptions } from '../flags/migrate-flags.ts';

interface RetryFailedFlag {
  readonly retryFailed?: number | true;
}

export function addMigrateTenants(group: Command, register: Register): void {
  const command = group
    .command('tenants')
    .description('apply pending tenant migrations to every ACTIVE tenant')
    .option('--to <name>', 'apply migrations up to and including this one')
    .option('--dry-run', 'print the SQL that would run, once per distinct plan; change nothing')
    .option('--all', 'also list tenants that were up to date')
    .option(
      '--retry-failed [id]',
      'only tenants that failed in this run (default: the last run with failures)',
      runNumber,
    );
  const withFlags = addRollout(addVerify(addTolerance(addSelection(command))));
  register(withFlags, 'migrate tenants', migrateTenantsCommand);
}

export async function migrateTenantsCommand(
  context: Context,
  flags: MigrateTenantsFlags & RetryFailedFlag,
): Promise<CommandResult> {
  const rollout = await rolloutOf(flags);
  // Load it while the server answers.
  const core = import('../../core/commands/migrate-tenants.ts');
  return context.withDatabase(flags.concurrency, (database, settings) =>
    context.withProgress(async (observe) => {
      const options = {
        ...migrateTenantsOptions(context, settings, flags),
        retryFailed: flags.retryFailed,
        rollout,
        observe,
      };
      if (flags.dryRun === true) {
        const { rehearseTenants } = await import('../../core/commands/rehearse.ts');
        return dryRunResult(await rehearseTenants(database, options), context);
      }
      const { migrateTenants } = await core;
      const result = await migrateTenants(database, options);
      return fleetCommandResult(context, result, 'applied', flags.all === true);
    }),
  );
}

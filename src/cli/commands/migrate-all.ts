import type { Command } from 'commander';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import { dryRunResult } from './dry-run-result.ts';
import { addSelection, addTolerance, addVerify, runOptions, tolerance } from '../flags/fleet-options.ts';
import { addRollout, rolloutOf } from '../flags/rollout-options.ts';
import type { Register } from '../run/register.ts';
import { fleetCommandResult } from './fleet-result.ts';
import { migrateTenantsOptions, type MigrateTenantsFlags } from '../flags/migrate-flags.ts';
import { masterDocument } from '../../core/documents/fleet-document.ts';

export function addMigrateAll(group: Command, register: Register): void {
  const command = group
    .command('all')
    .description('apply pending master migrations, then pending tenant migrations')
    .option('--dry-run', 'print the SQL that would run; change nothing')
    .option('--all', 'also list tenants that were up to date');
  register(addRollout(addVerify(addTolerance(addSelection(command)))), 'migrate all', migrateAllCommand);
}

export async function migrateAllCommand(
  context: Context,
  flags: MigrateTenantsFlags,
): Promise<CommandResult> {
  const rollout = await rolloutOf(flags);
  return context.withDatabase(flags.concurrency, (database, settings) =>
    context.withProgress(async (observe) => {
      const masterOptions = {
        ...runOptions(context, settings, flags),
        ...tolerance(flags),
        folder: settings.folders.master,
        observe,
      };
      const tenantOptions = {
        ...migrateTenantsOptions(context, settings, flags),
        rollout,
        allowEmptyFolder: true,
        masterFolder: undefined,
        observe,
      };
      if (flags.dryRun === true) {
        const { rehearseAll } = await import('../../core/commands/rehearse.ts');
        return dryRunResult(await rehearseAll(database, masterOptions, tenantOptions), context);
      }
      const { migrateMaster } = await import('../../core/commands/migrate-master.ts');
      const { migrateTenants } = await import('../../core/commands/migrate-tenants.ts');
      const master = await migrateMaster(database, masterOptions);
      const fleet = fleetCommandResult(
        context,
        await migrateTenants(database, tenantOptions),
        'applied',
        flags.all === true,
      );
      return {
        ...fleet,
        document: { master: masterDocument(master, 'applied'), ...fleet.document },
        async text() {
          const { renderMaster } = await import('../render/fleet.ts');
          return `${renderMaster(master, 'Applied', context.output.paint)}\n${await fleet.text()}`;
        },
      };
    }),
  );
}

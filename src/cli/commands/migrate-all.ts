import type { Command } from 'commander';
import { masterDocument } from '../../core/documents.ts';
import type { Context } from '../context.ts';
import type { Register } from '../program.ts';
import type { CommandResult } from '../command-result.ts';
import { dryRunResult } from './dry-run.ts';
import { addSelection, addTolerance, addVerify, runOptions, tolerance } from './fleet-options.ts';
import { fleetCommandResult, migrateTenantsOptions, type MigrateTenantsFlags } from './migrate-tenants.ts';
import { addRollout, rolloutOf } from './rollout-options.ts';

export function addMigrateAll(group: Command, register: Register): void {
  const command = group
    .command('all')
    .description('master migrations first, then the tenants')
    .option('--dry-run', 'show the SQL that would run, and change nothing')
    .option('--all', 'list tenants that are up to date, too');
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
        const { rehearseAll } = await import('../../core/rehearse.ts');
        return dryRunResult(await rehearseAll(database, masterOptions, tenantOptions), context);
      }
      const { migrateMaster } = await import('../../core/master.ts');
      const { migrateTenants } = await import('../../core/migrate-tenants.ts');
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

import { Option, type Command } from 'commander';
import { masterDocument } from '../../core/documents/migrate-document.ts';
import type { MasterLoss } from '../../core/commands/rollback-master.ts';
import type { RollbackExtent } from '../../core/plan/rollback-extent.ts';
import { counted, listed, namedTenants } from '../../wording.ts';
import {
  addFleetRun,
  addRun,
  dryRun,
  runOptions,
  selection,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import { runNumber } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { dryRunResult, fleetCommandResult, masterText } from '../run/results.ts';

interface RollbackFlags extends FleetFlags {
  readonly run?: number;
}

export function addRollback(program: Command, register: Register): void {
  const rollback = program.command('rollback').description('undo migrations; by default the latest');

  const master = rollback.command('master').description('undo the last batch of master migrations');
  register(addRun(addExtent(master)), 'rollback master', rollbackMaster);

  const tenants = addExtent(rollback.command('tenants'))
    .description('undo the latest deploy: the last batch of each ACTIVE tenant that took part in it')
    .addOption(
      new Option('--run <id>', 'undo exactly what this run of migrate tenants applied')
        .argParser(runNumber)
        .conflicts(['all', 'to']),
    )
    .addOption(selection());
  register(addFleetRun(tenants), 'rollback tenants', rollbackTenants);
}

function addExtent(command: Command): Command {
  return command
    .addOption(new Option('--all', 'undo all migrations; asks for confirmation').conflicts('to'))
    .option('--to <name>', 'undo all migrations down to this one, this one included')
    .addOption(dryRun());
}

function extentOf({ all, to }: RollbackFlags): RollbackExtent | undefined {
  if (all === true) return { all };
  return to === undefined ? undefined : { to };
}

function rollbackMaster(context: Context, flags: RollbackFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.master,
      extent: extentOf(flags),
    };
    if (flags.dryRun === true) {
      return dryRunResult(context, await core.rehearseMasterRollback(database, options));
    }
    if (flags.all === true) {
      const { plan } = await core.planMasterRollback(database, options);
      const names = plan.steps.map((step) => step.name).join(', ');
      if (names !== '')
        await context.confirm(`This undoes every master migration (${names}) and destroys their data.`);
    }
    const result = await core.rollbackMaster(database, {
      ...options,
      observe,
      // With --yes, the rollback need not stop at the tables that it drops.
      confirm: context.options.yes === true ? undefined : (loss) => context.confirm(masterLoss(loss)),
    });
    return {
      document: masterDocument(result, 'reverted'),
      text: masterText(context, result, 'Undone'),
    };
  });
}

function masterLoss({ tables, unknown, tenants }: MasterLoss): string {
  const users = namedTenants(tenants);
  return unknown.length > 0
    ? `Which tables this drops is not known before it runs (${listed(unknown)}), and ${users} may use them.`
    : `This drops ${counted(tables.length, 'table')} that ${users} may use, with all data: ${listed(tables, 10)}.`;
}

function rollbackTenants(context: Context, flags: RollbackFlags): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.tenants,
      extent: flags.run === undefined ? extentOf(flags) : { run: flags.run },
    };
    if (flags.dryRun === true) {
      return dryRunResult(context, await core.rehearseTenantsRollback(database, options));
    }
    const result = await core.rollbackTenants(database, {
      ...options,
      observe,
      confirm(emptied) {
        const who = namedTenants(
          emptied.map(({ clerkOrgId }) => clerkOrgId),
          10,
        );
        return context.confirm(`This undoes every migration of ${who} and destroys their data.`);
      },
    });
    // The last batch of a tenant is another one afterwards.
    const isRepeatable = options.extent !== undefined || options.tenants === undefined;
    return fleetCommandResult(context, result, 'reverted', false, isRepeatable);
  });
}

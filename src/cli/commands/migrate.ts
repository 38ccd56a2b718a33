import { Option, type Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import { masterDocument } from '../../core/documents/migrate-document.ts';
import type { Database } from '../../db/database.ts';
import type { Observer } from '../../core/report/event.ts';
import {
  addFleetRun,
  addRun,
  addTolerance,
  dryRun,
  include,
  masterFolderOf,
  runOptions,
  selection,
  verify,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import { findHooks } from '../../config/hooks-file.ts';
import { addHooksHelp } from '../flags/hooks-help.ts';
import { runNumber } from '../flags/numbers.ts';
import { addRollout, rolloutOf, type RolloutFlags } from '../flags/rollout-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context, Core } from '../run/context.ts';
import { dryRunResult, fleetCommandResult, masterText } from '../run/results.ts';

interface MigrateFlags extends FleetFlags, RolloutFlags {
  readonly changeNames?: boolean;
  readonly retryFailed?: number | true;
}

export function addMigrate(program: Command, register: Register): void {
  const migrate = program.command('migrate').description('apply pending migrations');

  const master = migrate
    .command('master')
    .description('apply pending master migrations in the schema public')
    .option('--to <name>', 'apply migrations up to and including this one')
    .addOption(dryRun())
    .option(
      '--change-names',
      'the registry or a history table was renamed: record the names that are configured now',
    );
  register(addRun(addTolerance(master)), 'migrate master', migrateMaster);

  const tenants = migrate
    .command('tenants')
    .description('apply pending tenant migrations and changed repeatable scripts to every ACTIVE tenant')
    .option('--to <name>', 'apply migrations up to and including this one')
    .option('--dry-run', 'print the SQL that would run, once per distinct plan; change nothing')
    .addOption(listAll())
    .option(
      '--retry-failed [id]',
      'only tenants that failed in this run (default: the last run with failures)',
      runNumber,
    );
  register(addTenantFlags(tenants), 'migrate tenants', migrateTenants);

  for (const all of [migrate.command('all'), program.command('up', { hidden: true })]) {
    all
      .description('apply pending master migrations, then pending tenant migrations and repeatable scripts')
      .addOption(dryRun())
      .addOption(listAll());
    register(addTenantFlags(all), 'migrate all', migrateAll);
  }
}

function listAll(): Option {
  return new Option('--all', 'also list tenants that were up to date');
}

function addTenantFlags(command: Command): Command {
  const selected = command.addOption(selection()).addOption(include());
  return addHooksHelp(addRollout(addTolerance(addFleetRun(selected)).addOption(verify())));
}

function migrateMaster(context: Context, flags: MigrateFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const options = masterOptions(context, settings, flags, observe);
    if (flags.dryRun === true) {
      return dryRunResult(context, await core.rehearseMaster(database, options));
    }
    const result = await core.migrateMaster(database, options);
    return {
      document: masterDocument(result, 'applied'),
      text: masterText(context, result, 'Applied'),
    };
  });
}

async function migrateTenants(context: Context, flags: MigrateFlags): Promise<CommandResult> {
  const rollout = await rolloutOf(flags);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = { ...tenantOptions(context, settings, flags, observe), rollout };
    if (flags.dryRun === true) {
      return dryRunResult(context, await core.rehearseTenants(database, options));
    }
    return fleetCommandResult(
      context,
      await core.migrateTenants(database, options),
      'applied',
      flags.all === true,
    );
  });
}

async function migrateAll(context: Context, flags: MigrateFlags): Promise<CommandResult> {
  const rollout = await rolloutOf(flags);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const forMaster = masterOptions(context, settings, flags, observe);
    const forTenants = {
      ...tenantOptions(context, settings, flags, observe),
      rollout,
      allowEmptyFolder: true,
      masterFolder: undefined,
    };
    if (flags.dryRun === true) {
      return dryRunResult(context, await core.rehearseAll(database, forMaster, forTenants));
    }
    await core.refuseSkeletonsIn(database, forTenants.folder);
    if (forTenants.hooks !== undefined) await core.loadHooks(forTenants.hooks);
    const canary = rollout?.canary;
    const named = [...(flags.tenant ?? []), ...(canary && 'tenants' in canary ? canary.tenants : [])];
    if (named.length > 0) await refuseUnknown(core, database, named);
    const master = await core.migrateMaster(database, forMaster);
    const result = await core.migrateTenants(database, forTenants);
    const fleet = fleetCommandResult(context, result, 'applied', flags.all === true);
    return {
      ...fleet,
      document: { master: masterDocument(master, 'applied'), ...fleet.document },
      text: async (render, look) => {
        const text = masterText(context, master, 'Applied');
        // A master run that did nothing is not worth a line beside the fleet's.
        const first =
          master.names.length > 0 ? await text(render, look) : render.renderMaster(master, 'Applied', look);
        return `${first}\n${await fleet.text?.(render, look)}`;
      },
    };
  });
}

/** A mistyped name ends the command before its first half, if there is a registry. @throws TenantctlError TENANT_UNKNOWN */
async function refuseUnknown(core: Core, database: Database, names: readonly string[]): Promise<void> {
  if (await core.hasRegistryTable(database, database.names)) await core.findTenants(database, names);
}

function masterOptions(context: Context, settings: Settings, flags: MigrateFlags, observe: Observer) {
  return {
    ...runOptions(context, settings, flags),
    folder: settings.folders.master,
    to: flags.to,
    changeNames: flags.changeNames,
    observe,
  };
}

function tenantOptions(context: Context, settings: Settings, flags: MigrateFlags, observe: Observer) {
  return {
    ...runOptions(context, settings, flags),
    folder: settings.folders.tenants,
    hooks: findHooks(context.folder, settings.folders),
    masterFolder: masterFolderOf(settings),
    to: flags.to,
    verify: flags.verify,
    listUpToDate: flags.all,
    retryFailed: flags.retryFailed,
    observe,
  };
}

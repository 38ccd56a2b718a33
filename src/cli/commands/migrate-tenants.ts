import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import { fleetDocument } from '../../core/documents.ts';
import type { MigrateTenantsOptions } from '../../core/migrate-tenants.ts';
import type { FleetResult } from '../../core/results.ts';
import type { Context } from '../context.ts';
import type { Register } from '../program.ts';
import type { CommandResult } from '../command-result.ts';
import { failureOf } from '../failure.ts';
import { rolloutFailure } from '../rollout-failure.ts';
import { dryRunResult } from './dry-run.ts';
import { runNumber } from './run-number.ts';
import {
  addSelection,
  addTolerance,
  addVerify,
  runOptions,
  tolerance,
  type FleetFlags,
  type ToleranceFlags,
  type VerifyFlag,
} from './fleet-options.ts';
import { addRollout, rolloutOf, type RolloutFlags } from './rollout-options.ts';

/** Flags of the commands that migrate tenants. */
export type MigrateTenantsFlags = FleetFlags & ToleranceFlags & VerifyFlag & RolloutFlags;

interface RetryFailedFlag {
  readonly retryFailed?: number | true;
}

export function addMigrateTenants(group: Command, register: Register): void {
  const command = group
    .command('tenants')
    .description('apply the pending tenant migrations to every ACTIVE tenant')
    .option('--to <name>', 'the last migration to apply')
    .option('--dry-run', 'show the SQL that would run, once for each distinct plan, and change nothing')
    .option('--all', 'list tenants that are up to date, too')
    .option(
      '--retry-failed [id]',
      'only the tenants that failed in this run (default: the last one with failures)',
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
  // Loaded while the server is answering.
  const core = import('../../core/migrate-tenants.ts');
  return context.withDatabase(flags.concurrency, (database, settings) =>
    context.withProgress(async (observe) => {
      const options = {
        ...migrateTenantsOptions(context, settings, flags),
        retryFailed: flags.retryFailed,
        rollout,
        observe,
      };
      if (flags.dryRun === true) {
        const { rehearseTenants } = await import('../../core/rehearse.ts');
        return dryRunResult(await rehearseTenants(database, options), context);
      }
      const { migrateTenants } = await core;
      const result = await migrateTenants(database, options);
      return fleetCommandResult(context, result, 'applied', flags.all === true);
    }),
  );
}

export function migrateTenantsOptions(
  context: Context,
  settings: Settings,
  flags: MigrateTenantsFlags,
): MigrateTenantsOptions {
  return {
    ...runOptions(context, settings, flags),
    ...tolerance(flags),
    folder: settings.folders.tenants,
    masterFolder: masterFolderOf(settings),
    tenants: flags.tenant,
    to: flags.to,
    concurrency: flags.concurrency,
    compile: flags.compile,
    verify: flags.verify,
    listUpToDate: flags.all,
  };
}

/** A project whose registry another tool keeps may have no master migrations at all. */
export function masterFolderOf(settings: Settings): string | undefined {
  return existsSync(settings.folders.master) ? settings.folders.master : undefined;
}

export function fleetCommandResult(
  context: Context,
  result: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
): CommandResult {
  const failures = result.tenants
    .filter((tenant) => tenant.outcome === 'failed')
    .map((tenant) => tenant.error);
  return {
    document: fleetDocument(result, direction, all),
    async text() {
      const { renderFleet } = await import('../render/fleet.ts');
      const verb = direction === 'applied' ? 'migrated' : 'rolled back';
      return renderFleet(result, verb, context.output.verbose, context.output.paint);
    },
    error: rolloutFailure(result) ?? failureOf(failures, result.totals.selected),
    showError: false,
    interrupted: result.interrupted,
  };
}

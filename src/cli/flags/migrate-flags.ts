import { existsSync } from 'node:fs';
import type { Settings } from '../../config/settings.ts';
import type { MigrateTenantsOptions } from '../../core/commands/migrate-tenants.ts';
import type { Context } from '../run/context.ts';
import {
  runOptions,
  tolerance,
  type FleetFlags,
  type ToleranceFlags,
  type VerifyFlag,
} from './fleet-options.ts';
import type { RolloutFlags } from './rollout-options.ts';

/** Flags of the commands that migrate tenants. */
export type MigrateTenantsFlags = FleetFlags & ToleranceFlags & VerifyFlag & RolloutFlags;

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

/** The master folder, if it exists: if another tool keeps the registry, there may be none. */
export function masterFolderOf(settings: Settings): string | undefined {
  return existsSync(settings.folders.master) ? settings.folders.master : undefined;
}

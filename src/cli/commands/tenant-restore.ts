import type { Command } from 'commander';
import type { Settings } from '../../config/settings.ts';
import { restoreDocument, restorePlanDocument } from '../../core/documents/restore-document.ts';
import type { Loss } from '../../core/tenant/common/losses.ts';
import type { Observer } from '../../core/report/event.ts';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { addRun, concurrency, masterFolderOf, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { tenantNames } from '../flags/list.ts';
import { lossText } from '../render/loss.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context, Core } from '../run/context.ts';
import { tenantsResult, withRunEnd } from '../run/results.ts';

interface RestoreFlags extends FleetFlags {
  readonly as?: string;
  readonly replace?: boolean;
  readonly from?: string;
  readonly file?: string;
  readonly allowDrift?: boolean;
}

/** Adds `tenant restore` and `tenant unarchive`. */
export function addTenantRestore(tenant: Command, register: Register): void {
  const restore = tenant
    .command('restore')
    .description('restore a tenant from a backup, or from another database')
    .argument('<file or org>', 'the file of a backup, - for standard input; with --from, the organization')
    .option('--as <org>', 'restore it as this organization')
    .option('--replace', 'put it in the place of the tenant, if there is one; asks')
    .option('--from <url>', 'read the tenant from this database; nothing is written there');
  register(addRun(addDrift(restore)), 'tenant restore', restoreTenant);

  const unarchive = tenant
    .command('unarchive')
    .description('bring ARCHIVED tenants back from their backups')
    .argument(
      '<org or schema...>',
      'organization ids or schema names, separated by spaces or commas',
      tenantNames,
    )
    .option('--file <path>', 'the file of the backup, if it was moved');
  register(addRun(addDrift(unarchive)).addOption(concurrency()), 'tenant unarchive', unarchiveTenants);
}

function addDrift(command: Command): Command {
  return command
    .option(
      '--allow-drift',
      'restore the rows although the migrations build something else than was backed up',
    )
    .option('--allow-out-of-order', 'apply pending files that sort before an applied one')
    .option('--dry-run', 'verify the backup and show what would be restored; change nothing');
}

function optionsOf(context: Context, settings: Settings, flags: RestoreFlags, observe: Observer) {
  return {
    ...runOptions(context, settings, flags),
    folder: settings.folders.tenants,
    masterFolder: masterFolderOf(settings),
    allowDrift: flags.allowDrift,
    observe,
  };
}

function restoreTenant(
  context: Context,
  flags: RestoreFlags,
  [name = '']: readonly string[],
): Promise<CommandResult> {
  if (flags.dryRun === true && (flags.from !== undefined || name === '-'))
    throw new TenantctlError('USAGE', '--dry-run verifies a file: it works with neither --from nor -.', {
      hint: 'Without --dry-run, each is verified while it is read, and nothing is changed if it is damaged.',
    });
  if (flags.from !== undefined && !/^postgres(?:ql)?:\/\//.test(flags.from))
    throw new TenantctlError('USAGE', '--from takes the URL of the database that has the tenant.', {
      hint: 'It has the form postgres://user:password@host:port/database.',
    });
  return context.withDatabase(1, async (database, settings, observe, core) => {
    const options = {
      ...optionsOf(context, settings, flags, observe),
      as: flags.as,
      replace: flags.replace,
      confirm: (loss: Loss) =>
        context.confirm(
          `This replaces ${lossText(loss)}. What it has now is not backed up.`,
          loss.clerkOrgId,
        ),
    };
    if (flags.dryRun === true) {
      const plan = await core.planRestore(database, name, options);
      return {
        document: restorePlanDocument([plan], 'restored'),
        text: ({ renderRestorePlan }, look) => renderRestorePlan(plan, look),
      };
    }
    const { run, ...result } = await restore(context, core, database, { name, from: flags.from, options });
    return {
      document: restoreDocument([result], { ...(run !== undefined && { run }) }),
      text: withRunEnd(context.output, { id: run }, ({ renderRestores }, look) =>
        renderRestores([result], look),
      ),
    };
  });
}

interface Wanted {
  readonly name: string;
  readonly from: string | undefined;
  readonly options: ReturnType<typeof optionsOf> & {
    readonly as: string | undefined;
    readonly replace: boolean | undefined;
    readonly confirm: (loss: Loss) => Promise<void>;
  };
}

function restore(context: Context, core: Core, database: Database, { name, from, options }: Wanted) {
  // Nobody can finish a tenant whose backup does not come.
  if (name === '-') context.interruption.abortOnFirst();
  if (from === undefined) return core.restoreTenant(database, name === '-' ? process.stdin : name, options);
  return context.withOtherDatabase(from, (source) => core.restoreTenantFrom(database, source, name, options));
}

function unarchiveTenants(
  context: Context,
  flags: RestoreFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = { ...optionsOf(context, settings, flags, observe), file: flags.file };
    if (flags.dryRun === true) {
      const { plans, results } = await core.planUnarchive(database, organizationIds, options);
      return tenantsResult(
        context,
        { tenants: [...plans, ...results] },
        {
          document: restorePlanDocument(plans, 'unarchived', results),
          text: ({ renderRestorePlan, renderRestores }, look) =>
            [...plans.map((plan) => renderRestorePlan(plan, look)), renderRestores(results, look)]
              .filter((text) => text !== '')
              .join('\n'),
        },
        { verb: 'would fail' },
      );
    }
    const { tenants, ...ended } = await core.unarchiveTenants(database, organizationIds, options);
    return tenantsResult(
      context,
      { tenants, ...ended },
      {
        document: restoreDocument(tenants, ended),
        text: ({ renderRestores }, look) => renderRestores(tenants, look),
      },
    );
  });
}

import type { Command } from 'commander';
import { plannedStatusDocument, statusChangesDocument } from '../../core/documents/status-change-document.ts';
import { rehearsalDocument } from '../../core/documents/rehearsal-document.ts';
import type { StatusChanges, StatusVerb } from '../../core/tenant/status/status-change-result.ts';
import {
  addFleetRun,
  addRun,
  addTolerance,
  concurrency,
  dryRun,
  masterFolderOf,
  runOptions,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import { findHooks } from '../../config/hooks-file.ts';
import { addHooksHelp } from '../flags/hooks-help.ts';
import { tenantNames } from '../flags/list.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { dryRunResult, tenantsResult } from '../run/results.ts';

/** Adds `tenant suspend` and `tenant resume`. */
export function addTenantStatus(tenant: Command, register: Register): void {
  const names = [
    '<org or schema...>',
    'organization ids or schema names, separated by spaces or commas',
  ] as const;
  const suspend = tenant
    .command('suspend')
    .description('suspend ACTIVE tenants: the application and migrations leave them alone')
    .argument(...names, tenantNames)
    .option('--dry-run', 'show which tenants would be suspended; change nothing');
  register(addHooksHelp(addRun(suspend).addOption(concurrency())), 'tenant suspend', suspendTenants);

  const resume = tenant
    .command('resume')
    .description('migrate SUSPENDED tenants, then make them ACTIVE')
    .argument(...names, tenantNames)
    .addOption(dryRun());
  register(addHooksHelp(addTolerance(addFleetRun(resume))), 'tenant resume', resumeTenants);
}

function suspendTenants(
  context: Context,
  flags: FleetFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    if (flags.dryRun === true)
      return plannedResult(
        context,
        'suspend',
        await core.planStatusChange(database, 'suspend', organizationIds),
      );
    const hooks = findHooks(context.folder, settings.folders);
    const options = { ...runOptions(context, settings, flags), hooks, observe };
    return changesResult(context, await core.suspendTenants(database, organizationIds, options));
  });
}

function resumeTenants(
  context: Context,
  flags: FleetFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.tenants,
      hooks: findHooks(context.folder, settings.folders),
      masterFolder: masterFolderOf(settings),
      observe,
    };
    if (flags.dryRun !== true)
      return changesResult(context, await core.resumeTenants(database, organizationIds, options));
    const plan = await core.planStatusChange(database, 'resume', organizationIds);
    const planned = plannedResult(context, 'resume', plan);
    if (plan.tasks.length === 0) return planned;
    const tenants = plan.tasks.map(({ clerkOrgId }) => clerkOrgId);
    const rehearsal = await core.rehearseTenants(database, {
      ...options,
      tenants,
      include: ['SUSPENDED'],
      allowEmptyFolder: true,
    });
    const isUpToDate = rehearsal.plans.length === 0 && rehearsal.problems.length === 0;
    if (isUpToDate) return { ...planned, document: { ...rehearsalDocument(rehearsal), ...planned.document } };
    const migrations = dryRunResult(context, rehearsal);
    return {
      document: { ...rehearsalDocument(rehearsal), ...planned.document },
      text: async (render, look) =>
        [await planned.text?.(render, look), await migrations.text?.(render, look)].join('\n'),
      error: planned.error ?? migrations.error,
      showError: planned.error !== undefined,
    };
  });
}

function changesResult(context: Context, changes: StatusChanges): CommandResult {
  return tenantsResult(context, changes, {
    document: statusChangesDocument(changes),
    text: ({ renderStatusChanges }, look) =>
      renderStatusChanges(changes.tenants, context.output.verbose, look),
  });
}

function plannedResult(
  context: Context,
  verb: StatusVerb,
  plan: Parameters<typeof plannedStatusDocument>[1],
): CommandResult {
  return tenantsResult(
    context,
    { tenants: [...plan.tasks, ...plan.results] },
    {
      document: plannedStatusDocument(verb, plan),
      text: ({ renderPlannedStatus }, look) => renderPlannedStatus(verb, plan, look),
    },
    { verb: 'would fail' },
  );
}

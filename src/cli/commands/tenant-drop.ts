import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import {
  droppedDocument,
  plannedRemovalsDocument,
  removalsDocument,
} from '../../core/documents/removal-document.ts';
import type { Loss } from '../../core/tenant/common/losses.ts';
import type { Removals, RemovalVerb } from '../../core/tenant/removal/removal-result.ts';
import type { RemovalPlan } from '../../core/tenant/removal/removal-run.ts';
import { counted } from '../../wording.ts';
import { addRun, concurrency, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { tenantNames } from '../flags/list.ts';
import { lossText } from '../render/loss.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantsResult } from '../run/results.ts';

interface RemovalFlags extends FleetFlags {
  readonly backup: boolean;
  readonly out: string;
  readonly forget?: boolean;
}

const NAMES = [
  '<org or schema...>',
  'organization ids or schema names, separated by spaces or commas',
] as const;
const OUT = [
  '--out <folder>',
  'folder for the backups that are made first; it is created',
  'backups',
] as const;

/** Adds `tenant drop` and `tenant archive`. */
export function addTenantDrop(tenant: Command, register: Register): void {
  const drop = tenant
    .command('drop')
    .description('back tenants up, then drop their schemas and rows; asks for the organization id')
    .argument(...NAMES, tenantNames)
    .option(...OUT)
    .addOption(new Option('--no-backup', 'drop without a backup').conflicts('out'))
    .option('--dry-run', 'show what would be dropped; change nothing')
    .addOption(
      new Option('--forget', 'forget what is remembered of tenants that were dropped before').conflicts([
        'out',
        'backup',
        'dryRun',
      ]),
    );
  register(addRun(drop).addOption(concurrency()), 'tenant drop', dropTenants);

  const archive = tenant
    .command('archive')
    .description(
      'back ACTIVE or SUSPENDED tenants up, then drop their schemas; the rows stay, as ARCHIVED; asks',
    )
    .argument(...NAMES, tenantNames)
    .option(...OUT)
    .option('--dry-run', 'show what would be archived; change nothing');
  register(addRun(archive).addOption(concurrency()), 'tenant archive', archiveTenants);
}

function dropTenants(
  context: Context,
  flags: RemovalFlags,
  names: readonly string[],
): Promise<CommandResult> {
  if (flags.forget === true) return forget(context, names);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = { ...runOptions(context, settings, flags), observe };
    if (flags.dryRun === true) return planned(context, 'drop', await core.planDrop(database, names, options));
    const backupFolder = flags.backup ? resolve(context.folder, flags.out) : undefined;
    const result = await core.dropTenants(database, names, {
      ...options,
      backupFolder,
      confirm: (losses) => context.confirm(question('drops', losses, backupFolder), wordToType(losses)),
    });
    return removalsResult(context, result);
  });
}

function archiveTenants(
  context: Context,
  flags: RemovalFlags,
  names: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = { ...runOptions(context, settings, flags), observe };
    if (flags.dryRun === true) return planned(context, 'archive', await core.planArchive(database, names));
    const backupFolder = resolve(context.folder, flags.out);
    const result = await core.archiveTenants(database, names, {
      ...options,
      backupFolder,
      confirm: (losses) => context.confirm(question('archives', losses, backupFolder)),
    });
    return removalsResult(context, result);
  });
}

/** What goes, one line for each tenant. */
function question(
  does: 'drops' | 'archives',
  losses: readonly Loss[],
  backupFolder: string | undefined,
): string {
  const lines = losses.map((loss) => `  ${lossText(loss)}`);
  const hasSchemas = losses.some(({ status }) => status !== 'ARCHIVED');
  const backup =
    backupFolder === undefined || !hasSchemas
      ? 'No backup is made.'
      : `Each is backed up first, into ${backupFolder}.`;
  return `This ${does} ${counted(losses.length, 'tenant')} with all data:\n${lines.join('\n')}\n${backup}`;
}

/** What a person types who means it: the organization id, or how many tenants there are. */
function wordToType(losses: readonly Loss[]): string {
  const [first] = losses;
  return losses.length === 1 && first !== undefined ? first.clerkOrgId : String(losses.length);
}

function planned(context: Context, verb: RemovalVerb, plan: RemovalPlan): CommandResult {
  return tenantsResult(
    context,
    { tenants: [...plan.losses, ...plan.results] },
    {
      document: plannedRemovalsDocument(plan),
      text: ({ renderLosses }, look) => renderLosses(verb, plan, look),
    },
    { verb: 'would fail' },
  );
}

function removalsResult(context: Context, removals: Removals): CommandResult {
  return tenantsResult(context, removals, {
    document: removalsDocument(removals),
    text: ({ renderRemovals }, look) => renderRemovals(removals.tenants, context.output.verbose, look),
  });
}

function forget(context: Context, names: readonly string[]): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    const forgotten = await core.forgetTenants(database, names);
    return {
      document: { forgotten: forgotten.map(droppedDocument) },
      text: () => `Forgotten: ${forgotten.map(({ clerkOrgId }) => clerkOrgId).join(', ')}`,
    };
  });
}

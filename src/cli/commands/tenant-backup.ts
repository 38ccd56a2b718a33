import { resolve } from 'node:path';
import type { Command } from 'commander';
import { backupPlanDocument, backupsDocument } from '../../core/documents/backup-document.ts';
import { TenantctlError } from '../../errors.ts';
import { addRun, concurrency, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { tenantNames } from '../flags/list.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantsResult } from '../run/results.ts';

interface BackupFlags extends FleetFlags {
  readonly out: string;
}

/** Adds `tenant backup`. */
export function addTenantBackup(tenant: Command, register: Register): void {
  const backup = tenant
    .command('backup')
    .description('write ACTIVE or SUSPENDED tenants to files, one for each, from a snapshot')
    .argument(
      '[org or schema...]',
      'organization ids or schema names, separated by spaces or commas',
      tenantNames,
    )
    .option('--all', 'back up all ACTIVE and SUSPENDED tenants')
    .option(
      '--out <folder>',
      'folder that the files are written to, created if it is missing; -: write one tenant to stdout',
      'backups',
    )
    .option('--dry-run', 'show which tenants would be backed up, and how large they are; write nothing');
  register(addRun(backup).addOption(concurrency()), 'tenant backup', backUp);
}

async function backUp(
  context: Context,
  flags: BackupFlags,
  names: readonly string[],
): Promise<CommandResult> {
  const { all = false } = flags;
  if (all === names.length > 0)
    throw new TenantctlError('USAGE', 'Name the tenants to back up, or give --all; not both.', {
      hint: 'tenantctl tenant backup --help shows how to call it.',
    });
  const tenants = all ? undefined : names;
  if (flags.dryRun === true) return planOf(context, tenants);
  if (flags.out === '-') return backUpToStdout(context, flags, names);
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      directory: resolve(context.folder, flags.out),
      tenants,
      observe,
    };
    const result = await core.backupTenants(database, options);
    return tenantsResult(context, result, {
      document: backupsDocument(result),
      text: ({ renderBackups }, look) => renderBackups(result, context.output.verbose, look),
    });
  });
}

/** The backup is the result: what is said about it goes to stderr. */
function backUpToStdout(
  context: Context,
  flags: BackupFlags,
  names: readonly string[],
): Promise<CommandResult> {
  const { output } = context;
  const [name] = names;
  const problem =
    name === undefined || names.length > 1
      ? 'stdout takes the backup of one tenant.'
      : output.json
        ? '--json and --out - exclude each other: stdout is the backup.'
        : output.isTerminal
          ? 'stdout is a terminal: a backup is binary.'
          : undefined;
  if (problem !== undefined || name === undefined)
    throw new TenantctlError('USAGE', problem ?? '', {
      hint: 'To write files: --out <folder>. To write to a program: tenantctl tenant backup <org> --out - | program',
    });
  return context.withDatabase(1, async (database, settings, observe, core) => {
    const options = { ...runOptions(context, settings, flags), observe };
    const backup = await core.backupTenantTo(database, name, output.stdout(), options);
    const { bytesText } = await import('../render/bytes.ts');
    output.message(
      `${backup.clerkOrgId}: ${backup.rows} rows, ${bytesText(backup.bytes)}, SHA-256 ${backup.sha256}`,
    );
    return {};
  });
}

function planOf(context: Context, tenants: readonly string[] | undefined): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    const plan = await core.planBackups(database, { tenants });
    return tenantsResult(
      context,
      { tenants: [...plan.planned, ...plan.refused] },
      {
        document: backupPlanDocument(plan),
        text: ({ renderBackupPlan }, look) => renderBackupPlan(plan, look),
      },
      { verb: 'would fail' },
    );
  });
}

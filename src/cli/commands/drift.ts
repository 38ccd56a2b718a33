import type { Command } from 'commander';
import { driftDocument } from '../../core/documents/drift-document.ts';
import type { Drift } from '../../core/drift/find-drift.ts';
import type { TenantDrift } from '../../core/drift/show-drift.ts';
import { TenantctlError } from '../../errors.ts';
import { conjugated, counted, sumOf } from '../../wording.ts';
import { include, runOptions, selection, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { failureOf, showFailures } from '../run/results.ts';

interface DriftFlags extends Pick<FleetFlags, 'tenant' | 'include' | 'all'> {
  readonly reference?: string;
  readonly check?: boolean;
}

const REFERENCE = [
  '--reference <migrations or org>',
  'what tenants are compared with: what the migrations make, or this tenant (default: migrations)',
] as const;

export function addDrift(program: Command, register: Register): void {
  const drift = program
    .command('drift')
    .description('find tenants whose schema differs from what the migrations make')
    .option(...REFERENCE)
    .option('--check', 'exit with 6 if a tenant differs, or leads into another tenant')
    .option('--all', 'list every difference and every tenant')
    .addOption(selection())
    .addOption(include());
  register(drift, 'drift', driftCommand);

  const show = drift
    .command('show')
    .description('show how a tenant differs, as a diff')
    .argument('<org>', 'organization id or schema name')
    .option(...REFERENCE)
    .option('--check', 'exit with 6 if it differs, or leads into another tenant');
  // Commander gives options that both have to the outer command.
  register<DriftFlags>(show, 'drift show', (context, flags, positionals) => {
    const { all, tenant, include: status, ...outer } = drift.opts<DriftFlags>();
    if ([all, tenant, status].some((value) => value !== undefined))
      throw new TenantctlError(
        'USAGE',
        'drift show compares one tenant: --all, --tenant and --include belong to drift.',
        {
          hint: 'tenantctl drift --help shows how to call it.',
        },
      );
    return showCommand(context, { ...flags, ...outer }, positionals);
  });
}

function driftCommand(context: Context, flags: DriftFlags): Promise<CommandResult> {
  const { output } = context;
  const all = flags.all === true;
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const { folders } = settings;
    const { tenants, include, signal } = runOptions(context, settings, flags);
    const drift = await core.findDrift(database, {
      tenantFolder: folders.tenants,
      repeatableFolder: folders.repeatable,
      reference: flags.reference,
      tenants,
      include,
      signal,
      observe,
    });
    const failed = drift.failed.map(({ tenant, error }) => ({
      ...tenant,
      outcome: 'failed' as const,
      error,
    }));
    showFailures(output, failed);
    const interrupted = new TenantctlError('INTERRUPTED', 'Not every tenant was compared.', {
      hint: 'Run the command again: it starts from the beginning.',
    });
    return {
      document: driftDocument(drift, all),
      text: ({ renderDrift }, look) => renderDrift(drift, all || output.verbose, look),
      error:
        (drift.interrupted ? interrupted : failureOf(failed, drift.totals.selected)) ??
        (flags.check === true ? checkFailure(drift) : undefined),
      interrupted: drift.interrupted,
    };
  });
}

function checkFailure({ totals, cohorts }: Drift): TenantctlError | undefined {
  const leading = cohorts
    .filter(({ leads }) => leads.length > 0)
    .reduce((sum, { tenants }) => sum + tenants.length, 0);
  const found = sumOf([
    [totals.differing, conjugated('differs', totals.differing)],
    [leading, `${conjugated('leads', leading)} into another tenant`],
  ]);
  if (found === '') return undefined;
  return new TenantctlError('CHECK_FAILED', `Of ${counted(totals.selected, 'tenant')}: ${found}.`, {
    hint: 'tenantctl drift show <org> shows the difference of one tenant.',
  });
}

function showCommand(
  context: Context,
  flags: DriftFlags,
  [name = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, { folders }, observe, core) => {
    const drift = await core.showDrift(database, name, {
      tenantFolder: folders.tenants,
      repeatableFolder: folders.repeatable,
      reference: flags.reference,
      signal: context.interruption.signal,
      observe,
    });
    return {
      document: drift,
      text: ({ renderTenantDrift }, look) => renderTenantDrift(drift, look),
      error: flags.check === true ? showFailure(drift) : undefined,
    };
  });
}

function showFailure({ clerkOrgId, differences, leads }: TenantDrift): TenantctlError | undefined {
  const found = sumOf([
    [differences.length, 'different'],
    [leads.length, 'leading into another tenant'],
  ]);
  if (found === '') return undefined;
  return new TenantctlError('CHECK_FAILED', `Objects of "${clerkOrgId}": ${found}.`, { tenant: clerkOrgId });
}

import type { Command } from 'commander';
import type { Observer } from '../../core/report/event.ts';
import type { FleetStatus } from '../../core/fleet/status.ts';
import { TenantctlError } from '../../errors.ts';
import type { Context } from '../run/context.ts';
import { counted } from '../../wording.ts';
import type { CommandResult } from '../run/command-result.ts';
import { addVerify, type VerifyFlag } from '../flags/fleet-options.ts';
import type { Register } from '../run/register.ts';
import { masterFolderOf } from '../flags/migrate-flags.ts';
import { statusDocument } from '../../core/documents/status-document.ts';
import type { AttentionCode } from '../../core/fleet/attention.ts';

export interface StatusFlags extends VerifyFlag {
  readonly check?: boolean;
  readonly all?: boolean;
}

export function addStatus(program: Command, register: Register): void {
  const command = program
    .command('status')
    .description('show the state of the master schema and of the fleet')
    .option('--check', 'exit with 6 if anything is pending or needs attention')
    .option('--all', 'list every tenant');
  register(addVerify(command), 'status', statusCommand);
}

export async function statusCommand(context: Context, flags: StatusFlags): Promise<CommandResult> {
  // Load it while the server answers.
  const core = import('../../core/fleet/status.ts');
  return context.withDatabase(undefined, async (database, settings) => {
    const { fleetStatus } = await core;
    const look = (observe?: Observer) =>
      fleetStatus(database, {
        masterFolder: masterFolderOf(settings),
        tenantFolder: settings.folders.tenants,
        listAll: flags.all,
        verify: flags.verify,
        observe,
      });
    // Only reading every history takes long enough for progress.
    const status = await (flags.verify === true ? context.withProgress(look) : look());
    const findings = findingsOf(status);
    return {
      document: statusDocument(status, flags.all === true),
      text: async () =>
        (await import('../render/status.ts')).renderStatus(status, flags.all === true, context.output.paint),
      error:
        flags.check === true && findings.length > 0
          ? new TenantctlError('CHECK_FAILED', `The check found something: ${findings.join(', ')}.`, {
              hint: isOnlyPending(status)
                ? 'tenantctl migrate all applies what is pending.'
                : 'tenantctl tenant show <org> tells what a tenant needs; tenantctl doctor looks at the whole.',
            })
          : undefined,
    };
  });
}

const WORDS: Readonly<Record<AttentionCode, string>> = {
  BEHIND: 'behind',
  FAILED: 'failed',
  PROVISIONING: 'not provisioned to the end',
  SCHEMA_MISSING: 'without a schema',
  HISTORY_DISAGREES: 'with a history that disagrees with the folder',
  INTERRUPTED: 'interrupted',
  AMBIGUOUS: 'renamed twice',
  KNEX_LOCKED: 'locked by Knex',
};

/** What --check finds: tenants counted by their problem. */
function findingsOf({ master, states }: FleetStatus): string[] {
  const findings: string[] = [];
  if (master.pending.length > 0)
    findings.push(`${counted(master.pending.length, 'master migration')} pending`);
  if (master.interrupted !== undefined) findings.push('a master migration interrupted');
  else if (master.problem !== undefined) findings.push('the master history disagrees with the folder');
  for (const code of Object.keys(WORDS) as AttentionCode[]) {
    const tenants = states.filter((state) => state.attention?.code === code).length;
    if (tenants > 0) findings.push(`${counted(tenants, 'tenant')} ${WORDS[code]}`);
  }
  return findings;
}

function isOnlyPending({ master, states }: FleetStatus): boolean {
  return (
    master.problem === undefined &&
    states.every(({ attention }) => attention === undefined || attention.code === 'BEHIND')
  );
}

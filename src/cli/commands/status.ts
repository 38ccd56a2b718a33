import type { Command } from 'commander';
import { statusDocument } from '../../core/documents.ts';
import { TenantctlError } from '../../errors.ts';
import type { Context } from '../context.ts';
import type { Register } from '../program.ts';
import { count } from '../render/words.ts';
import type { CommandResult } from '../command-result.ts';
import { masterFolderOf } from './migrate-tenants.ts';

export interface StatusFlags {
  readonly check?: boolean;
  readonly all?: boolean;
}

export function addStatus(program: Command, register: Register): void {
  const command = program
    .command('status')
    .description('master and fleet at a glance')
    .option('--check', 'exit with 6 where anything is pending or wants attention')
    .option('--all', 'list every tenant');
  register(command, 'status', statusCommand);
}

export async function statusCommand(context: Context, flags: StatusFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings) => {
    const { fleetStatus } = await import('../../core/status.ts');
    const status = await fleetStatus(database, {
      masterFolder: masterFolderOf(settings),
      tenantFolder: settings.folders.tenants,
    });
    const attention = status.states.filter((state) => state.attention !== undefined).length;
    const findings = [
      ...(status.master.pending.length > 0
        ? [`${count(status.master.pending.length, 'master migration')} pending`]
        : []),
      ...(status.master.problem === undefined ? [] : ['the master history disagrees with the folder']),
      ...(attention > 0 ? [`${count(attention, 'tenant')} to be looked at`] : []),
    ];
    return {
      document: statusDocument(status, flags.all === true),
      text: async () =>
        (await import('../render/status.ts')).renderStatus(status, flags.all === true, context.output.paint),
      error:
        flags.check === true && findings.length > 0
          ? new TenantctlError('CHECK_FAILED', `The check found something: ${findings.join(', ')}.`, {
              hint: 'tenantctl migrate all applies what is pending.',
            })
          : undefined,
    };
  });
}

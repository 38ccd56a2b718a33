import { Option, type Command } from 'commander';
import { nodesDocument } from '../../core/documents/nodes-document.ts';
import { statusDocument } from '../../core/documents/status-document.ts';
import type { AttentionCode } from '../../core/fleet/attention.ts';
import type { FleetStatus } from '../../core/fleet/status.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { masterFolderOf, verify } from '../flags/fleet-options.ts';
import { count } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface StatusFlags {
  readonly check?: boolean;
  readonly all?: boolean;
  readonly verify?: boolean;
  readonly watch?: number | true;
  readonly nodes?: boolean;
}

const WATCH_SECONDS = 2;

export function addStatus(program: Command, register: Register): void {
  const command = program
    .command('status')
    .description('show the state of the master schema and of the fleet')
    .option('--check', 'exit with 6 if anything is pending or needs attention')
    .option('--all', 'list every tenant')
    .addOption(verify())
    .addOption(
      new Option('--nodes', 'show tenants and sizes by node of a Citus cluster, instead').conflicts([
        'check',
        'verify',
        'watch',
      ]),
    )
    .addOption(
      new Option(
        '--watch [seconds]',
        `show it again every so many seconds (default: ${WATCH_SECONDS}); q ends`,
      )
        .argParser(count)
        .conflicts(['check', 'verify']),
    );
  register(command, 'status', statusCommand);
}

async function statusCommand(context: Context, flags: StatusFlags): Promise<CommandResult> {
  const all = flags.all === true;
  const list = all ? 'all' : context.output.verbose ? 'attention' : 'none';
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    if (flags.nodes === true) {
      const found = await core.tenantsByNode(database);
      return {
        document: nodesDocument(found, all),
        text: ({ renderNodes }, look) => renderNodes(found, all, look),
      };
    }
    const options = {
      masterFolder: masterFolderOf(settings),
      tenantFolder: settings.folders.tenants,
      repeatableFolder: settings.folders.repeatable,
      listAll: all,
    };
    if (flags.watch !== undefined) {
      const { watchStatus } = await import('./status-watch.ts');
      const seconds = flags.watch === true ? WATCH_SECONDS : flags.watch;
      return watchStatus(context, { seconds, list, read: () => core.fleetSnapshot(database, options) });
    }
    const status = await core.fleetStatus(database, {
      ...options,
      verify: flags.verify,
      // Only reading every history takes long enough to show progress.
      observe: flags.verify === true ? observe : undefined,
    });
    return {
      document: statusDocument(status, all),
      text: ({ renderStatus }, look) => renderStatus(status, list, look),
      error: flags.check === true ? checkFailure(status) : undefined,
    };
  });
}

const WORDS: Readonly<Record<AttentionCode, string>> = {
  BEHIND: 'behind',
  FAILED: 'failed',
  PROVISIONING: 'not completely provisioned',
  SCHEMA_MISSING: 'without a schema',
  HISTORY_DISAGREES: 'with a history that disagrees with the folder',
  INTERRUPTED: 'interrupted',
  UNFINISHED: 'with a verb that has not ended',
  AMBIGUOUS: 'with two new names',
  SWAPPED: 'with the schema of another',
  KNEX_LOCKED: 'locked by Knex',
};

/** The error of --check: tenants counted by problem; undefined if none. */
function checkFailure({ master, states }: FleetStatus): TenantctlError | undefined {
  const findings: string[] = [];
  if (master.pending.length > 0)
    findings.push(`${counted(master.pending.length, 'master migration')} pending`);
  if (master.interrupted !== undefined) findings.push('a master migration interrupted');
  else if (master.problem !== undefined) findings.push('the master history disagrees with the folder');
  for (const [code, words] of Object.entries(WORDS)) {
    const tenants = states.filter((state) => state.attention?.code === code).length;
    if (tenants > 0) findings.push(`${counted(tenants, 'tenant')} ${words}`);
  }
  if (findings.length === 0) return undefined;
  const message = `The check found something: ${findings.join(', ')}.`;
  if (states.some(({ lacks }) => lacks.length > 0))
    return new TenantctlError('CHECK_FAILED', message, {
      hint: 'Other tenants have newer migrations than this folder: run tenantctl migrate all of the newer release.',
    });
  const isOnlyPending =
    master.problem === undefined &&
    states.every(({ attention }) => attention === undefined || attention.code === 'BEHIND');
  return new TenantctlError('CHECK_FAILED', message, {
    hint: isOnlyPending
      ? 'tenantctl migrate all applies what is pending.'
      : 'tenantctl tenant show <org> shows what a tenant needs; tenantctl doctor checks everything.',
  });
}

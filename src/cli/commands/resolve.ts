import { Option, type Command } from 'commander';
import { resolutionDocument } from '../../core/documents/status-document.ts';
import { MASTER_NAME } from '../../core/state/resolution-commands.ts';
import { TenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface AnswerFlags {
  readonly applied?: boolean;
  readonly retry?: boolean;
}

export function addResolve(program: Command, register: Register): void {
  const command = program
    .command('resolve')
    .description('record the outcome of an interrupted "transaction: false" migration')
    .argument('<org or schema>', 'an organization id or a schema name; "master" for the master schema')
    .addOption(
      new Option('--applied', 'the work is done (for a rollback: undone); record it').conflicts('retry'),
    )
    .option('--retry', 'the work is not done; the next run starts the migration again')
    .addHelpText('after', EPILOGUE);
  register(command, 'resolve', resolveCommand);
}

async function resolveCommand(
  context: Context,
  { applied, retry }: AnswerFlags,
  [tenant = '']: readonly string[],
): Promise<CommandResult> {
  if (applied !== true && retry !== true) {
    throw new TenantctlError('USAGE', 'Say whether the work was done: --applied or --retry.', {
      hint: `${tenant === MASTER_NAME ? 'tenantctl status' : `tenantctl tenant show ${shellWord(tenant)}`} names the migration. Check in the schema whether its work is there.`,
    });
  }
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const resolution = await core.resolveInterrupted(database, {
      tenant,
      answer: applied === true ? 'applied' : 'retry',
      folder: tenant === MASTER_NAME ? settings.folders.master : settings.folders.tenants,
      lockTimeoutMs: settings.lockTimeoutMs,
      tenantRole: settings.tenantRole,
      observe,
    });
    return {
      document: resolutionDocument(resolution),
      text: ({ renderResolution }, look) => renderResolution(resolution, look),
    };
  });
}

const EPILOGUE = `
A "transaction: false" migration is recorded in the history only after it has run. If the command is killed in
between, tenantctl cannot know whether it finished. "status" and "tenant show" name such tenants. Check in the schema,
then record the outcome.`;

import { Option, type Command } from 'commander';
import { TenantctlError } from '../../errors.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Context } from '../run/context.ts';
import type { Register } from '../run/register.ts';
import { resolutionDocument } from '../../core/documents/status-document.ts';

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

export async function resolveCommand(
  context: Context,
  flags: AnswerFlags,
  [tenant = '']: readonly string[],
): Promise<CommandResult> {
  if (flags.applied !== true && flags.retry !== true) {
    throw new TenantctlError('USAGE', 'Say whether the work was done: --applied or --retry.', {
      hint: `tenantctl tenant show ${tenant} names the migration. Check in the schema whether its work is there.`,
    });
  }
  return context.withDatabase(undefined, async (database, settings) => {
    const { MASTER_NAME } = await import('../../core/state/resolution-commands.ts');
    const { resolveInterrupted } = await import('../../core/commands/resolve.ts');
    const resolution = await context.withProgress((observe) =>
      resolveInterrupted(database, {
        tenant,
        answer: flags.applied === true ? 'applied' : 'retry',
        folder: tenant === MASTER_NAME ? settings.folders.master : settings.folders.tenants,
        lockTimeoutMs: settings.lockTimeoutMs,
        observe,
      }),
    );
    return {
      document: resolutionDocument(resolution),
      text: async () =>
        (await import('../render/resolution.ts')).renderResolution(resolution, context.output.paint),
    };
  });
}

const EPILOGUE = `
A "transaction: false" migration is recorded in the history only after it has run. If the command is killed in
between, tenantctl cannot know whether it finished. "status" and "tenant show" name such tenants. Check in the schema,
then record the outcome.`;

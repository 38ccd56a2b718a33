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
    .description('say how a "transaction: false" migration ended whose command was killed')
    .argument('<org or schema>', 'an organization id or a schema name; "master" for the master schema')
    .addOption(
      new Option('--applied', 'its work is there (or, of a rollback, is gone): record it').conflicts('retry'),
    )
    .option('--retry', 'its work is not there: the next run begins it anew')
    .addHelpText('after', EPILOGUE);
  register(command, 'resolve', resolveCommand);
}

export async function resolveCommand(
  context: Context,
  flags: AnswerFlags,
  [tenant = '']: readonly string[],
): Promise<CommandResult> {
  if (flags.applied !== true && flags.retry !== true) {
    throw new TenantctlError('USAGE', 'Whether its work was done is for you to say: --applied or --retry.', {
      hint: `tenantctl tenant show ${tenant} names the migration; look in the schema for what it does.`,
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
Such a migration is recorded in the history after its deed, so a kill in between leaves the question whether
that was done. "status" and "tenant show" name the tenants; look into the schema, then answer.`;

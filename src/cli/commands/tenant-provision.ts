import type { Command } from 'commander';
import { provisionDocument } from '../../core/documents.ts';
import type { Context } from '../context.ts';
import type { Register } from '../program.ts';
import { renderError } from '../render/error.ts';
import type { CommandResult } from '../command-result.ts';
import { failureOf } from '../failure.ts';
import { addPace, runOptions, type PaceFlags } from './fleet-options.ts';
import { masterFolderOf } from './migrate-tenants.ts';

export function addTenantProvision(group: Command, register: Register): void {
  const command = group
    .command('provision')
    .description('create the schema of organizations, register, migrate and activate them')
    .argument('<org...>', 'organization ids');
  register(addPace(command), 'tenant provision', provisionCommand);
}

export async function provisionCommand(
  context: Context,
  flags: PaceFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, (database, settings) =>
    context.withProgress(async (observe) => {
      const { provisionTenants } = await import('../../core/provision.ts');
      const results = await provisionTenants(database, organizationIds, {
        ...runOptions(context, settings, flags),
        folder: settings.folders.tenants,
        masterFolder: masterFolderOf(settings),
        concurrency: flags.concurrency,
        compile: flags.compile,
        observe,
      });
      const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
      // With several organizations each failure is told; one alone is the command's own error.
      const several = errors.length > 1;
      if (several)
        for (const error of errors)
          context.output.complain(renderError(error, context.output.paintError, context.output.verbose));
      return {
        document: provisionDocument(results),
        text: async () => (await import('../render/fleet.ts')).renderProvision(results, context.output.paint),
        error: failureOf(errors, results.length),
        interrupted: results.length < new Set(organizationIds).size,
      };
    }),
  );
}

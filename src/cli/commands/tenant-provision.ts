import { InvalidArgumentError, type Command } from 'commander';
import { patternProblem } from '../../db/role-name.ts';
import type { Context } from '../run/context.ts';
import { renderError } from '../render/error.ts';
import type { CommandResult } from '../run/command-result.ts';
import { failureOf } from '../run/failure.ts';
import { addPace, runOptions, type PaceFlags } from '../flags/fleet-options.ts';
import type { Register } from '../run/register.ts';
import { masterFolderOf } from '../flags/migrate-flags.ts';
import { provisionDocument } from '../../core/documents/fleet-document.ts';

interface ProvisionFlags extends PaceFlags {
  readonly ownerRole?: string;
}

export function addTenantProvision(group: Command, register: Register): void {
  const command = group
    .command('provision')
    .description('create tenants: register each organization, create its schema, migrate and activate it')
    .argument('<org...>', 'organization ids')
    .option(
      '--owner-role <name>',
      "role that owns each new schema; {schema} stands for the schema's name (default: TENANT_ROLE)",
      rolePattern,
    );
  register(addPace(command), 'tenant provision', provisionCommand);
}

export async function provisionCommand(
  context: Context,
  flags: ProvisionFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, (database, settings) =>
    context.withProgress(async (observe) => {
      const { provisionTenants } = await import('../../core/tenant/provision.ts');
      const results = await provisionTenants(database, organizationIds, {
        ...runOptions(context, settings, flags),
        tenantRole: flags.ownerRole ?? settings.tenantRole,
        folder: settings.folders.tenants,
        masterFolder: masterFolderOf(settings),
        concurrency: flags.concurrency,
        compile: flags.compile,
        observe,
      });
      if (flags.ownerRole !== undefined && settings.tenantRole === undefined) {
        context.output.complain(
          context.output.paintError.yellow(
            '! TENANT_ROLE is not set: later migrations of these tenants run as the role that is logged in, and what they create belongs to it.',
          ),
        );
      }
      const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
      // With several failures each is shown; a single one is the command's own error.
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

function rolePattern(text: string): string {
  const problem = text === '' ? 'is empty' : patternProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}.`);
  return text;
}

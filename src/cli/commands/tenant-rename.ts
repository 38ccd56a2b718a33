import type { Command } from 'commander';
import { plannedRenameDocument, renameDocument } from '../../core/documents/rename-document.ts';
import type { RenameResult } from '../../core/tenant/rename.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { addRun, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { withRunEnd } from '../run/results.ts';

interface RenameFlags extends FleetFlags {
  readonly withSchema?: boolean;
  readonly allowStale?: boolean;
}

/** Adds `tenant rename`. */
export function addRename(tenant: Command, register: Register): void {
  const rename = tenant
    .command('rename')
    .description('give a tenant another organization id; its schema keeps its name')
    .argument('<org or schema>', 'an organization id or a schema name')
    .argument('<new org>', 'the new organization id')
    .option('--with-schema', 'also rename the schema, after the new organization id')
    .option('--allow-stale', 'rename the schema although functions or other objects name it in their text')
    .option('--dry-run', 'show what would be renamed; change nothing');
  register(addRun(rename), 'tenant rename', renameTenant);
}

function renameTenant(
  context: Context,
  flags: RenameFlags,
  [tenant = '', organizationId = '']: readonly string[],
): Promise<CommandResult> {
  const { output } = context;
  if (flags.allowStale === true && flags.withSchema !== true)
    throw new TenantctlError('USAGE', '--allow-stale belongs to --with-schema.', {
      hint: 'tenantctl tenant rename --help shows how to call it.',
    });
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const { withSchema, allowStale } = flags;
    const options = { ...runOptions(context, settings, flags), withSchema, allowStale, observe };
    if (flags.dryRun === true) {
      const planned = await core.planRename(database, tenant, organizationId, options);
      warnOfStale(context, planned);
      return {
        document: plannedRenameDocument(planned),
        text: ({ renderPlannedRename }, look) => renderPlannedRename(planned, look),
      };
    }
    const renamed = await core.renameTenant(database, tenant, organizationId, options);
    warnOfStale(context, renamed);
    return {
      document: renameDocument(renamed),
      text: withRunEnd(output, { id: renamed.run }, ({ renderRename }, look) => renderRename(renamed, look)),
    };
  });
}

function warnOfStale({ output }: Context, { former, stale }: RenameResult): void {
  if (stale.length === 0) return;
  const named = stale.map(({ kind, name }) => `${kind} ${name}`);
  output.warn(
    `These still name ${former.schema} in their text: ${listed(named, output.verbose ? Infinity : 5)}.`,
  );
}

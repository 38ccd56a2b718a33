import { Option, type Command } from 'commander';
import { cloneDocument, plannedCloneDocument } from '../../core/documents/clone-document.ts';
import type { Mask } from '../../core/content/mask.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { addRun, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { readInput } from '../run/read-input.ts';
import { withRunEnd } from '../run/results.ts';

interface CloneFlags extends FleetFlags {
  readonly schemaOnly?: boolean;
  readonly mask?: string;
  readonly maskRest?: 'keep';
  readonly maskKeyFile?: string;
  readonly allowDrift?: boolean;
}

/** Adds `tenant clone`. */
export function addClone(tenant: Command, register: Register): void {
  const clone = tenant
    .command('clone')
    .description('make a new tenant with the schema and the rows of another one, masked if you like')
    .argument('<org or schema>', 'the tenant to copy: an organization id or a schema name')
    .argument('<new org>', 'the organization id of the new tenant')
    .option('--schema-only', 'copy no rows: the new tenant has those that its migrations insert')
    .option('--mask <file>', 'JSON file with rules by table and column; -: standard input')
    .addOption(
      new Option(
        '--mask-rest <rule>',
        'what happens to columns without a rule in tables that have rules; without it they are an error',
      ).choices(['keep']),
    )
    .option('--mask-key-file <file>', 'file with the secret key of the mask (default: TENANT_MASK_KEY)')
    .option('--allow-drift', 'clone a tenant that is not as its migrations make it')
    .option('--dry-run', 'check everything, and show what would be copied; change nothing');
  register(addRun(clone), 'tenant clone', cloneTenant);
}

async function cloneTenant(
  context: Context,
  flags: CloneFlags,
  [tenant = '', organizationId = '']: readonly string[],
): Promise<CommandResult> {
  const { output } = context;
  const { schemaOnly, maskRest, allowDrift, maskKeyFile } = flags;
  if (flags.mask === undefined && (maskRest !== undefined || maskKeyFile !== undefined))
    throw new TenantctlError('USAGE', '--mask-rest and --mask-key-file belong to --mask <file>.');
  const mask = flags.mask === undefined ? undefined : await readMask(context, flags.mask);
  const key = maskKeyFile === undefined ? undefined : (await readInput(context, maskKeyFile)).trim();
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.tenants,
      schemaOnly,
      mask,
      maskRest,
      maskKey: key ?? settings.maskKey,
      allowDrift,
      observe,
    };
    if (flags.dryRun === true) {
      const planned = await core.planClone(database, tenant, organizationId, options);
      return {
        document: plannedCloneDocument(planned),
        text: ({ renderPlannedClone }, look) => renderPlannedClone(planned, look),
      };
    }
    const cloned = await core.cloneTenant(database, tenant, organizationId, options);
    return {
      document: cloneDocument(cloned),
      text: withRunEnd(output, { id: cloned.run }, ({ renderClone }, look) => renderClone(cloned, look)),
    };
  });
}

/** Core checks what is in it. */
async function readMask(context: Context, path: string): Promise<Mask> {
  const text = await readInput(context, path);
  try {
    return JSON.parse(text) as Mask;
  } catch (cause) {
    throw new TenantctlError('MASK_INVALID', `${path} is not JSON: ${messageOf(cause)}.`, {
      hint: 'docs/life.md shows the form of a mask.',
      cause,
    });
  }
}

import { InvalidArgumentError, type Command } from 'commander';
import { provisionDocument } from '../../core/documents/migrate-document.ts';
import type { OrganizationList } from '../../core/tenant/provision/parse-organizations.ts';
import type { ProvisionResult } from '../../core/tenant/provision/provision-result.ts';
import { patternProblem } from '../../db/role-name.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { addFleetRun, masterFolderOf, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { findHooks } from '../../config/hooks-file.ts';
import { addHooksHelp } from '../flags/hooks-help.ts';
import { tenantNames } from '../flags/list.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { nameOfInput, readInput } from '../run/read-input.ts';
import { tenantsResult } from '../run/results.ts';

interface ProvisionFlags extends FleetFlags {
  readonly from?: string;
  readonly ownerRole?: string;
  readonly seed?: boolean;
}

/** Adds `tenant provision`. */
export function addProvision(tenant: Command, register: Register): void {
  const provision = tenant
    .command('provision')
    .alias('create')
    .description('create tenants: register each organization, create its schema, migrate and activate it')
    .argument('[org...]', 'organization ids, separated by spaces or commas', organizationIds)
    .option(
      '--from <file>',
      'also the organizations in this file, or standard input if it is -: CSV with a column clerk_org_id, CSV with one column, or JSON Lines',
    )
    .option(
      '--owner-role <name>',
      "role that owns each new schema; {schema} stands for the schema's name (default: TENANT_ROLE)",
      rolePattern,
    )
    .option('--seed', 'after the migrations, run the seeds of TENANT_SEEDS_DIR (default: seeds/tenants)');
  register(addHooksHelp(addFleetRun(provision)), 'tenant provision', provisionTenants);
}

/** An empty id is refused with its reason, like every other id that cannot be. */
function organizationIds(text: string, before: readonly string[] = []): string[] {
  return text === '' ? [...before, text] : tenantNames(text, before);
}

function rolePattern(text: string): string {
  const problem = text === '' ? 'is empty' : patternProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(`It ${problem}.`);
  return text;
}

async function provisionTenants(
  context: Context,
  flags: ProvisionFlags,
  named: readonly string[],
): Promise<CommandResult> {
  const { output } = context;
  const list = await readList(context, flags, named);
  const ids = [...new Set([...named, ...list.organizations.map(({ clerkOrgId }) => clerkOrgId)])];
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const provisioned = await core.provisionTenants(database, ids, {
      ...runOptions(context, settings, flags),
      tenantRole: flags.ownerRole ?? settings.tenantRole,
      folder: settings.folders.tenants,
      hooks: findHooks(context.folder, settings.folders),
      masterFolder: masterFolderOf(settings),
      seedFolder: flags.seed === true ? settings.folders.seeds : undefined,
      observe,
    });
    if (flags.ownerRole !== undefined && settings.tenantRole === undefined)
      output.warn(
        'TENANT_ROLE is not set: later migrations of these tenants run as the login role, which will own what they create.',
      );
    const results = [...provisioned, ...refusedLines(list)];
    const wanted = ids.length + list.bad.length;
    const { seed } = flags;
    return tenantsResult(
      context,
      { run: provisioned[0]?.run, tenants: results, interrupted: results.length < wanted },
      {
        document: provisionDocument(results),
        text: ({ renderProvision }, look) =>
          renderProvision(results, { wanted, verbose: output.verbose, seed }, look),
      },
    );
  });
}

/** The organizations of `--from`. @throws TenantctlError USAGE without any organization; FILE_UNUSABLE */
async function readList(
  context: Context,
  { from }: ProvisionFlags,
  named: readonly string[],
): Promise<OrganizationList> {
  if (from === undefined) {
    if (named.length > 0) return { organizations: [], bad: [], repeated: 0 };
    throw new TenantctlError('USAGE', 'No organization is named.', {
      hint: 'Name organization ids, or a file of them: tenantctl tenant provision --from organizations.csv',
    });
  }
  const text = await readInput(context, from);
  await context.readEnvironment();
  const { parseOrganizations } = await import('../run/core.ts');
  const list = parseOrganizations(text);
  if (list.organizations.length + list.bad.length + named.length === 0)
    throw new TenantctlError('FILE_UNUSABLE', `${nameOfInput(from)} names no organization.`, {
      hint: 'Write CSV with a column clerk_org_id, CSV with one column, or JSON Lines.',
    });
  if (list.repeated > 0)
    context.output.warn(
      `${nameOfInput(from)} names organizations again in ${counted(list.repeated, 'line')}; each is provisioned once.`,
    );
  return list;
}

/** A result for each bad line. */
function refusedLines({ bad }: OrganizationList): ProvisionResult[] {
  return bad.map(({ line, clerkOrgId, error }) => ({
    clerkOrgId,
    schema: '',
    outcome: 'failed',
    applied: [],
    durationMs: 0,
    line,
    error,
  }));
}

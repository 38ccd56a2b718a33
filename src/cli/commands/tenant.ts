import { InvalidArgumentError, Option, type Command } from 'commander';
import { provisionDocument } from '../../core/documents/migrate-document.ts';
import { registryDocument, tenantStateDocument } from '../../core/documents/status-document.ts';
import { patternProblem } from '../../db/role-name.ts';
import { STATUSES, type TenantStatus } from '../../names.ts';
import { addFleetRun, masterFolderOf, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { addHooksHelp, findHooks } from '../flags/hooks-file.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantNames } from '../flags/list.ts';
import { addTenantStatus } from './tenant-status.ts';
import { failureOf, showFailures, withRunEnd } from '../run/results.ts';

interface ProvisionFlags extends FleetFlags {
  readonly ownerRole?: string;
  readonly seed?: boolean;
}

interface ListFlags {
  readonly status?: TenantStatus;
}

export function addTenant(program: Command, register: Register): void {
  const tenant = program
    .command('tenant')
    .description('provision, suspend and resume tenants; list the registry');

  const provision = tenant
    .command('provision')
    .alias('create')
    .description('create tenants: register each organization, create its schema, migrate and activate it')
    .argument('<org...>', 'organization ids, separated by spaces or commas', organizationIds)
    .option(
      '--owner-role <name>',
      "role that owns each new schema; {schema} stands for the schema's name (default: TENANT_ROLE)",
      rolePattern,
    )
    .option('--seed', 'after the migrations, run the seeds of TENANT_SEEDS_DIR (default: seeds/tenants)');
  register(addHooksHelp(addFleetRun(provision)), 'tenant provision', provisionTenants);

  addTenantStatus(tenant, register);

  for (const list of [tenant.command('list').alias('ls'), program.command('ls', { hidden: true })]) {
    const status = new Option('--status <status>', 'only tenants with this status');
    list.description('list the registry, one line per tenant').addOption(status.choices([...STATUSES]));
    register(list, 'tenant list', listTenants);
  }

  const show = tenant
    .command('show')
    .description('show one tenant: status, history, pending migrations, last failure')
    .argument('<org or schema>', 'an organization id or a schema name');
  register(show, 'tenant show', showTenant);
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

function provisionTenants(
  context: Context,
  flags: ProvisionFlags,
  organizationIds: readonly string[],
): Promise<CommandResult> {
  const { output } = context;
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const results = await core.provisionTenants(database, organizationIds, {
      ...runOptions(context, settings, flags),
      tenantRole: flags.ownerRole ?? settings.tenantRole,
      folder: settings.folders.tenants,
      hooks: findHooks(context.folder, settings.folders),
      masterFolder: masterFolderOf(settings),
      seedFolder: flags.seed === true ? settings.folders.seeds : undefined,
      observe,
    });
    if (flags.ownerRole !== undefined && settings.tenantRole === undefined) {
      const warning =
        '! TENANT_ROLE is not set: later migrations of these tenants run as the login role, which will own what they create.';
      output.complain(output.errorLook.paint.yellow(warning));
    }
    const wanted = new Set(organizationIds).size;
    const failed = results.filter(({ outcome }) => outcome === 'failed');
    showFailures(output, failed);
    return {
      document: provisionDocument(results),
      text: withRunEnd(
        output,
        { id: results[0]?.run, command: 'tenant provision', failed: failed.length, changed: 0 },
        ({ renderProvision }, look) =>
          renderProvision(results, { wanted, verbose: output.verbose, seed: flags.seed }, look),
      ),
      error: failureOf(failed, results.length),
      interrupted: results.length < wanted,
    };
  });
}

function listTenants(context: Context, { status }: ListFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    await core.assertRegistry(database);
    const all = await core.readTenants(database);
    const tenants = all.filter((tenant) => status === undefined || tenant.status === status);
    return {
      document: { tenants: tenants.map(registryDocument) },
      text: ({ renderRegistry }, look) => renderRegistry(tenants, status, look),
    };
  });
}

function showTenant(
  context: Context,
  _flags: object,
  [name = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings, _observe, core) => {
    const { tenants: tenantFolder, repeatable: repeatableFolder } = settings.folders;
    const state = await core.tenantState(database, name, { tenantFolder, repeatableFolder });
    return {
      document: {
        tenant: {
          ...registryDocument(state.tenant),
          owner: state.tenant.owner,
          ...tenantStateDocument(state),
          history: state.history.entries,
        },
      },
      text: ({ renderTenant }, look) => renderTenant(state, look),
    };
  });
}

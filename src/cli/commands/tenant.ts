import { Option, type Command } from 'commander';
import { droppedDocument } from '../../core/documents/removal-document.ts';
import { registryDocument, tenantStateDocument } from '../../core/documents/status-document.ts';
import { STATUSES, type TenantStatus } from '../../names.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { addAdopt } from './tenant-adopt.ts';
import { addClone } from './tenant-clone.ts';
import { addProvision } from './tenant-provision.ts';
import { addMove } from './tenant-move.ts';
import { addRename } from './tenant-rename.ts';
import { addTenantBackup } from './tenant-backup.ts';
import { addTenantDrop } from './tenant-drop.ts';
import { addTenantRestore } from './tenant-restore.ts';
import { addTenantStatus } from './tenant-status.ts';
import { addTenantVerify } from './tenant-verify.ts';

interface ListFlags {
  readonly status?: TenantStatus;
  readonly dropped?: boolean;
}

export function addTenant(program: Command, register: Register): void {
  const tenant = program
    .command('tenant')
    .description(
      'provision, suspend, resume, rename, move, clone, back up, restore, archive, drop and adopt tenants; list the registry',
    );

  addProvision(tenant, register);
  addTenantStatus(tenant, register);
  addTenantRestore(tenant, register);
  addRename(tenant, register);
  addMove(tenant, register);
  addTenantBackup(tenant, register);
  addTenantVerify(tenant, register);
  addClone(tenant, register);
  addAdopt(tenant, register);
  addTenantDrop(tenant, register);

  for (const list of [tenant.command('list').alias('ls'), program.command('ls', { hidden: true })]) {
    const status = new Option('--status <status>', 'only tenants with this status');
    list
      .description('list the registry, one line per tenant')
      .addOption(status.choices([...STATUSES]))
      .addOption(new Option('--dropped', 'the tenants that were dropped, instead').conflicts('status'));
    register(list, 'tenant list', listTenants);
  }

  const show = tenant
    .command('show')
    .description('show one tenant: status, history, pending migrations, last failure')
    .argument('<org or schema>', 'an organization id or a schema name');
  register(show, 'tenant show', showTenant);
}

function listTenants(context: Context, { status, dropped }: ListFlags): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, _settings, _observe, core) => {
    if (dropped === true) {
      const tombstones = await core.readDropped(database);
      return {
        document: { dropped: tombstones.map(droppedDocument) },
        text: ({ renderDropped }, look) => renderDropped(tombstones, look),
      };
    }
    await core.assertRegistry(database);
    const all = await core.readTenants(database);
    const tenants = all.filter((tenant) => status === undefined || tenant.status === status);
    return {
      document: { tenants: tenants.map(registryDocument) },
      text: ({ renderRegistry }, look) => renderRegistry(tenants, status, look),
    };
  });
}

/** The latest ones. */
const SHOWN_BACKUPS = 5;

function showTenant(
  context: Context,
  _flags: object,
  [name = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings, _observe, core) => {
    const { tenants: tenantFolder, repeatable: repeatableFolder } = settings.folders;
    const state = await core.tenantState(database, name, { tenantFolder, repeatableFolder });
    const backups = await core.readBackups(database, state.tenant.schema, SHOWN_BACKUPS);
    return {
      document: {
        tenant: {
          ...registryDocument(state.tenant),
          owner: state.tenant.owner,
          ...tenantStateDocument(state),
          history: state.history.entries,
          backups,
        },
      },
      text: ({ renderTenant }, look) => renderTenant(state, backups, look),
    };
  });
}

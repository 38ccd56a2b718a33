import { Option, type Command } from 'commander';
import { STATUSES } from '../../names.ts';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Register } from '../run/register.ts';
import { registryDocument } from '../../core/documents/status-document.ts';

export function addTenantList(group: Command, register: Register): void {
  const command = group
    .command('list')
    .description('list the registry, one line per tenant')
    .addOption(new Option('--status <status>', 'only tenants with this status').choices([...STATUSES]));
  register(command, 'tenant list', listCommand);
}

export async function listCommand(
  context: Context,
  flags: { readonly status?: string },
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database) => {
    const { assertRegistry } = await import('../../core/registry/registry-shape.ts');
    const { readTenants } = await import('../../core/registry/registry.ts');
    await assertRegistry(database);
    const all = await readTenants(database);
    const tenants = all.filter((tenant) => flags.status === undefined || tenant.status === flags.status);
    return {
      document: { tenants: tenants.map(registryDocument) },
      async text() {
        const { renderTable } = await import('../render/table.ts');
        return tenants.length === 0
          ? `No tenants${flags.status === undefined ? ' yet: tenantctl tenant provision <org> makes one' : ` are ${flags.status}`}.`
          : renderTable(
              ['ORGANIZATION', 'SCHEMA', 'STATUS', 'CREATED (UTC)'].map((head) =>
                context.output.paint.dim(head),
              ),
              tenants.map((tenant) => [
                tenant.clerkOrgId,
                tenant.schema,
                tenant.status,
                tenant.createdAt?.toISOString().slice(0, 19).replace('T', ' ') ?? '',
              ]),
            );
      },
    };
  });
}

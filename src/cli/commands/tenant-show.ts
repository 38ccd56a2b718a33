import type { Command } from 'commander';
import { resolutionHint } from '../../core/state/resolution-commands.ts';
import type { TenantState } from '../../core/fleet/status.ts';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Register } from '../run/register.ts';
import { registryDocument, tenantStateDocument } from '../../core/documents/status-document.ts';

export function addTenantShow(group: Command, register: Register): void {
  const command = group
    .command('show')
    .description('show one tenant: status, history, pending migrations, last failure')
    .argument('<org or schema>', 'an organization id or a schema name');
  register(command, 'tenant show', showCommand);
}

export async function showCommand(
  context: Context,
  _flags: object,
  [name = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings) => {
    const { tenantState } = await import('../../core/fleet/status.ts');
    const state = await tenantState(database, name, { tenantFolder: settings.folders.tenants });
    return {
      document: {
        tenant: {
          ...registryDocument(state.tenant),
          owner: state.tenant.owner,
          ...tenantStateDocument(state),
          history: state.history.entries,
        },
      },
      text: () => renderTenant(state, context),
    };
  });
}

async function renderTenant(state: TenantState, { output: { paint } }: Context): Promise<string> {
  const { renderTable } = await import('../render/table.ts');
  const { tenant, history, pending, attention, lastError, interrupted, invalidIndexes } = state;
  const facts = [
    ['Organization', tenant.clerkOrgId],
    ['Schema', `${tenant.schema}${tenant.hasSchema ? '' : paint.red(' (missing)')}`],
    ...(tenant.owner === null ? [] : [['Owner', tenant.owner]]),
    ['Status', tenant.status],
    ['Created', tenant.createdAt?.toISOString() ?? ''],
    ['Updated', tenant.updatedAt?.toISOString() ?? ''],
    ...(attention === undefined ? [] : [['Attention', paint.yellow(attention.problem)]]),
    ...(interrupted === undefined
      ? []
      : [
          ['Interrupted', `${interrupted.migration}, ${interrupted.direction === 'up' ? 'forward' : 'back'}`],
          ['', `${paint.cyan('→')} ${resolutionHint(tenant, interrupted)}`],
        ]),
    ...invalidIndexes.flatMap(({ name, table, remedy }) => [
      ['INVALID', paint.red(`the index ${name} of table ${table}`)],
      ['', `${paint.cyan('→')} ${remedy}`],
    ]),
    ...(lastError === undefined ? [] : [['Last failure', paint.red(lastError.message)]]),
    ...(lastError?.hint === undefined ? [] : [['', `${paint.cyan('→')} ${lastError.hint}`]]),
  ];
  const migrations = [
    ...history.entries.map((entry) => [entry.name, `batch ${entry.batch}`]),
    ...pending.map((name) => [name, paint.yellow('pending')]),
  ];
  return [
    await renderTable([], facts),
    '',
    migrations.length === 0
      ? 'No migrations yet.'
      : await renderTable(
          ['MIGRATION', 'STATE'].map((head) => paint.dim(head)),
          migrations,
        ),
  ].join('\n');
}

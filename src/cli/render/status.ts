import type { FleetStatus, TenantState } from '../../core/fleet/status.ts';
import { renderClasses } from './fleet.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';
import { counted } from '../../wording.ts';

const LISTED = 50;

/** Summary of the master schema and the fleet, and tenants that need attention. */
export async function renderStatus(status: FleetStatus, all: boolean, look: Look): Promise<string> {
  const { paint, marks } = look;
  const { master, tenants } = status;
  const lines = [
    `${paint.bold('Master')}   ${counted(master.applied.length, 'migration')} applied, ${master.pending.length} pending`,
    ...master.pending.map((name) => `         ${paint.yellow('pending')} ${name}`),
    ...(master.problem === undefined ? [] : [`         ${paint.red(marks.failed)} ${master.problem}`]),
  ];
  const kinds = Object.entries(tenants.byStatus).map(([name, number]) => `${number} ${name}`);
  lines.push(
    `${paint.bold('Tenants')}  ${tenants.total}: ${renderClasses(tenants, look)}`,
    ...(kinds.length > 0 ? [`         by status: ${kinds.join(', ')}`] : []),
  );
  const attention = status.states.filter((state) => state.attention !== undefined);
  const shown = all ? status.states : attention.slice(0, LISTED);
  if (shown.length > 0) {
    lines.push(
      '',
      await renderTable(
        ['ORGANIZATION', 'SCHEMA', 'STATUS', 'APPLIED', 'PENDING', 'STATE'],
        shown.map((state) => row(state, paint)),
        look,
      ),
    );
    const more = attention.length - shown.length;
    if (!all && more > 0)
      lines.push(
        paint.dim(`${marks.ellipsis} and ${more} more that need attention; --all lists every tenant`),
      );
  }
  return lines.join('\n');
}

function row(state: TenantState, paint: Look['paint']): string[] {
  const code = state.attention?.code;
  const isMild = code === 'BEHIND' || code === 'PROVISIONING';
  const color = code === undefined ? paint.green : isMild ? paint.yellow : paint.red;
  return [
    state.tenant.clerkOrgId,
    state.tenant.schema,
    state.tenant.status,
    String(state.applied.length),
    String(state.pending.length),
    color(state.attention?.problem ?? (state.class === 'upToDate' ? 'up to date' : '')),
  ];
}

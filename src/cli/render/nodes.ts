import type { TenantsByNode } from '../../core/fleet/tenants-by-node.ts';
import { counted } from '../../wording.ts';
import { bytesText } from './bytes.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';

/** The nodes with the number and the size of their tenants; with `all`, every tenant. */
export async function renderNodes(
  { nodes, elsewhere }: TenantsByNode,
  all: boolean,
  look: Look,
): Promise<string> {
  const size = (bytes: number | null) => (bytes === null ? 'unknown' : bytesText(bytes));
  const shown = nodes.filter(({ takesTenants, tenants }) => takesTenants || tenants.length > 0);
  const note = (isActive: boolean, takesTenants: boolean) =>
    isActive ? (takesTenants ? '' : 'takes no tenants') : 'not active';
  const parts = [
    await renderTable(
      ['node', 'tenants', 'size', ''],
      shown.map(({ name, tenants, bytes, isActive, takesTenants }) => [
        name,
        String(tenants.length),
        size(bytes),
        note(isActive, takesTenants),
      ]),
      look,
    ),
  ];
  if (elsewhere.length > 0) parts.push(`${counted(elsewhere.length, 'tenant is', 'tenants are')} on no node`);
  if (!all) return parts.join('\n\n');
  const rows = [
    ...nodes.flatMap(({ name, tenants }) =>
      tenants.map(({ clerkOrgId, schema, bytes }) => [clerkOrgId, schema, name, size(bytes)]),
    ),
    ...elsewhere.map(({ clerkOrgId, schema }) => [clerkOrgId, schema, '', '']),
  ];
  return [...parts, await renderTable(['organization', 'schema', 'node', 'size'], rows, look)].join('\n\n');
}

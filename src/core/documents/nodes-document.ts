import type { TenantsByNode } from '../fleet/tenants-by-node.ts';

export type NodesDocument = ReturnType<typeof nodesDocument>;

/** `status --nodes`; with `all`, the tenants of each node. */
export function nodesDocument({ nodes, elsewhere }: TenantsByNode, all: boolean) {
  return {
    nodes: nodes.map(({ name, isActive, takesTenants, tenants, bytes }) => ({
      name,
      isActive,
      takesTenants,
      tenants: tenants.length,
      bytes,
      ...(all && {
        list: tenants.map(({ clerkOrgId, schema, bytes: of }) => ({ clerkOrgId, schema, bytes: of })),
      }),
    })),
    elsewhere: elsewhere.length,
    ...(all && { elsewhereList: elsewhere }),
  };
}

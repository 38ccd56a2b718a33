import type { QueryResultRow } from 'pg';
import { SIZES_ON_NODES } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';
import type { TenantNames } from '../../names.ts';
import { checkDatabase } from '../options/check-call.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { readTenants } from '../registry/registry.ts';
import { nodeName, readNodes, type Node } from './nodes.ts';

/** A tenant on a node. */
export interface PlacedTenant extends TenantNames {
  /** With indexes and TOAST tables; null if the node could not be asked. */
  readonly bytes: number | null;
  readonly status: string;
  /** A verb has begun and not ended. */
  readonly isUnfinished: boolean;
}

export interface NodeTenants extends Node {
  /** host:port */
  readonly name: string;
  /** The largest first. */
  readonly tenants: readonly PlacedTenant[];
  /** Of all its tenants; null if the node could not be asked. */
  readonly bytes: number | null;
}

export interface TenantsByNode {
  readonly nodes: readonly NodeTenants[];
  /** Tenants with a schema that is on none of them. */
  readonly elsewhere: readonly TenantNames[];
}

type Placement = Node & Pick<PlacedTenant, 'schema' | 'bytes'> & QueryResultRow;

/** Which tenants are on which node, and how large they are, in a query that asks all nodes at once. @throws TenantctlError NODES_ABSENT */
export async function tenantsByNode(database: Database): Promise<TenantsByNode> {
  checkDatabase(database);
  await assertRegistry(database);
  const nodes = await readNodes(database);
  const { rows } = await database.query<Placement>(SIZES_ON_NODES);
  const placed = new Map(rows.map((row) => [row.schema, row]));
  const tenants = (await readTenants(database)).filter(({ hasSchema }) => hasSchema);
  const names = tenants.map((tenant) => ({ ...tenant, at: placed.get(tenant.schema) }));
  const byNode = Map.groupBy(names, ({ at }) => (at === undefined ? undefined : nodeName(at)));
  const largestFirst = (a: PlacedTenant, b: PlacedTenant) => (b.bytes ?? 0) - (a.bytes ?? 0);
  return {
    nodes: nodes.map((node) => {
      const name = nodeName(node);
      const of = (byNode.get(name) ?? []).map(({ clerkOrgId, schema, status, unfinished, at }) => ({
        clerkOrgId,
        schema,
        bytes: at?.bytes ?? null,
        status,
        isUnfinished: unfinished !== undefined,
      }));
      return { ...node, name, tenants: of.toSorted(largestFirst), bytes: sumOf(of) };
    }),
    elsewhere: (byNode.get(undefined) ?? []).map(({ clerkOrgId, schema }) => ({ clerkOrgId, schema })),
  };
}

function sumOf(tenants: readonly PlacedTenant[]): number | null {
  let sum = 0;
  for (const { bytes } of tenants) {
    if (bytes === null) return null;
    sum += bytes;
  }
  return sum;
}

import { HAS_NODES, SELECT_NODES } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';

/** A server of a cluster. */
export interface Node {
  readonly host: string;
  readonly port: number;
  readonly isActive: boolean;
  /** Tenants may be put on it. */
  readonly takesTenants: boolean;
}

/** The nodes of the cluster. @throws TenantctlError NODES_ABSENT if the server has none */
export async function readNodes(database: Database): Promise<Node[]> {
  const { rows } = await database.query<{ has: boolean }>(`SELECT ${HAS_NODES} AS has`);
  const nodes = rows[0]?.has === true ? (await database.query<Node & object>(SELECT_NODES)).rows : [];
  if (nodes.length > 0) return nodes;
  throw new TenantctlError(
    'NODES_ABSENT',
    'This server has no nodes: every tenant is on the server itself.',
    {
      hint: 'Nodes are those of a Citus cluster, 12 or newer. tenantctl doctor says what the server has.',
    },
  );
}

/** "host:port" */
export function nodeName({ host, port }: Pick<Node, 'host' | 'port'>): string {
  return `${host}:${port}`;
}

/**
 * The node of this name. Pure.
 * @param name a host and a port, or the host alone if it has one node
 * @throws TenantctlError NODE_UNKNOWN
 */
export function nodeAt(nodes: readonly Node[], name: string): Node {
  const named = nodes.filter((node) => nodeName(node) === name || node.host === name);
  const [node] = named;
  if (node !== undefined && named.length === 1) return node;
  const message =
    node === undefined
      ? `The cluster has no node "${name}".`
      : `"${name}" is the host of several nodes: name the port, too.`;
  throw new TenantctlError('NODE_UNKNOWN', message, { hint: usableOf(nodes) });
}

/** The node of this name that tenants can be put on. Pure. @throws TenantctlError NODE_UNKNOWN, NODE_UNUSABLE */
export function nodeNamed(nodes: readonly Node[], name: string): Node {
  const node = nodeAt(nodes, name);
  if (node.isActive && node.takesTenants) return node;
  const why = node.isActive ? 'takes no tenants (shouldhaveshards is off)' : 'is not active';
  throw new TenantctlError('NODE_UNUSABLE', `The node ${nodeName(node)} ${why}.`, { hint: usableOf(nodes) });
}

function usableOf(nodes: readonly Node[]): string | undefined {
  const usable = nodes.filter(({ isActive, takesTenants }) => isActive && takesTenants).map(nodeName);
  return usable.length === 0 ? undefined : `Tenants can be put on ${usable.join(', ')}.`;
}

import { TenantctlError } from '../../errors.ts';
import type { TenantNames } from '../../names.ts';
import { counted } from '../../wording.ts';

/** What is to be even: the bytes of the nodes, or the number of their tenants. */
export type BalanceMeasure = 'size' | 'tenants';

export interface BalanceRules {
  readonly by: BalanceMeasure;
  /** A node whose load differs from the average by at most so many per cent is left alone. */
  readonly threshold: number;
  /** The first so many moves only: those that help most. */
  readonly maxMoves?: number | undefined;
  /** host:port. Everything moves away from this node, and nothing else is done. */
  readonly drain?: string | undefined;
}

interface BalanceTenant extends TenantNames {
  /** Null if the node could not be asked. */
  readonly bytes: number | null;
  /** Counts for its node, and stays there. */
  readonly isFixed?: boolean | undefined;
}

export interface BalanceNode {
  /** host:port */
  readonly name: string;
  readonly isActive: boolean;
  readonly takesTenants: boolean;
  readonly tenants: readonly BalanceTenant[];
}

export interface PlannedMove extends TenantNames {
  readonly bytes: number | null;
  /** Nodes, as host:port. */
  readonly from: string;
  readonly to: string;
}

interface Load {
  readonly name: string;
  readonly isTarget: boolean;
  sum: number;
  readonly movable: Set<Weighed>;
}

interface Weighed {
  readonly tenant: BalanceTenant;
  readonly weight: number;
}

/**
 * The moves that even out the nodes, each tenant at most once: first away from nodes that take no tenants, or from the
 * one to drain, the largest first and always to the node with the least. Then from the fullest node to the emptiest, until
 * both are within the threshold, each time the tenant whose weight is nearest to half the difference. A move must gain at
 * least half of what it copies, as in Citus's strategy by_disk_size, and help one of its nodes. The same facts give the
 * same moves. Pure.
 * @returns the moves to make, and how many more `maxMoves` has cut off
 * @throws TenantctlError NODE_UNUSABLE if no node is left to move to, or if sizes count and one is unknown
 */
export function planBalance(
  nodes: readonly BalanceNode[],
  { by, threshold, maxMoves = Infinity, drain }: BalanceRules,
): { readonly moves: PlannedMove[]; readonly left: number } {
  const loads = nodes.map((node) => loadOf(node, by, drain));
  const targets = loads.filter(({ isTarget }) => isTarget);
  const leaving = loads.filter(({ name, isTarget }) => (drain === undefined ? !isTarget : name === drain));
  if (targets.length === 0 && leaving.some(({ movable }) => movable.size > 0))
    throw new TenantctlError('NODE_UNUSABLE', 'No other node takes tenants.', {
      hint: "A superuser lets a node take them: SELECT citus_set_node_property('host', port, 'shouldhaveshards', true)",
    });
  const moves: PlannedMove[] = [];
  for (const from of leaving)
    for (const weighed of [...from.movable].sort(heaviestFirst)) {
      const [to] = targets.toSorted(emptiestFirst);
      if (to !== undefined) moves.push(moved(from, to, weighed));
    }
  if (drain === undefined) moves.push(...levelOut(targets, threshold));
  return { moves: moves.slice(0, maxMoves), left: Math.max(0, moves.length - maxMoves) };
}

/** Takes the tenant's weight from a node to another. */
function moved(from: Load, to: Load, weighed: Weighed): PlannedMove {
  from.movable.delete(weighed);
  from.sum -= weighed.weight;
  to.sum += weighed.weight;
  const { clerkOrgId, schema, bytes } = weighed.tenant;
  return { clerkOrgId, schema, bytes, from: from.name, to: to.name };
}

/** Of its distance from the average, a node must lose so much, or come within the threshold. */
const LEAST_HELP = 0.1;

/** Without the moves that help none of their nodes: small tenants from beside a large one, which itself has to stay. */
function levelOut(targets: readonly Load[], threshold: number): PlannedMove[] {
  const average = targets.reduce((total, { sum }) => total + sum, 0) / targets.length;
  const margin = (average * threshold) / 100;
  const distance = ({ sum }: Load) => Math.abs(sum - average);
  const before = new Map(targets.map((load) => [load.name, distance(load)]));
  const moves: PlannedMove[] = [];
  for (;;) {
    const next = nextMove(targets, average, margin);
    if (next === undefined) break;
    moves.push(moved(next.from, next.to, next.weighed));
  }
  const helped = new Set<string>();
  for (const load of targets) {
    const was = before.get(load.name) ?? 0;
    const isWithin = was > margin && distance(load) <= margin;
    if (isWithin || (was > 0 && distance(load) <= was * (1 - LEAST_HELP))) helped.add(load.name);
  }
  return moves.filter(({ from, to }) => helped.has(from) || helped.has(to));
}

function loadOf(node: BalanceNode, by: BalanceMeasure, drain: string | undefined): Load {
  const unknown = node.tenants.filter(({ bytes }) => bytes === null);
  if (by === 'size' && unknown.length > 0)
    throw new TenantctlError(
      'NODE_UNUSABLE',
      `The node ${node.name} could not be asked how large ${counted(unknown.length, 'tenant')} are.`,
      { hint: 'While a node is away, no tenant can be moved. tenantctl status --nodes shows all nodes.' },
    );
  const all = node.tenants.map((tenant) => ({ tenant, weight: by === 'size' ? (tenant.bytes ?? 0) : 1 }));
  return {
    name: node.name,
    isTarget: node.isActive && node.takesTenants && node.name !== drain,
    sum: all.reduce((sum, { weight }) => sum + weight, 0),
    movable: new Set(node.isActive ? all.filter(({ tenant }) => tenant.isFixed !== true) : []),
  };
}

/** The next move between nodes of which one is beyond the margin; undefined if none is, or none gains enough. */
function nextMove(targets: readonly Load[], average: number, margin: number) {
  const byLoad = targets.toSorted(emptiestFirst);
  const [to] = byLoad;
  if (to === undefined) return undefined;
  for (const from of byLoad.toReversed()) {
    const difference = from.sum - to.sum;
    if (from.sum <= average + margin && to.sum >= average - margin) return undefined;
    const weighed = nearest(from.movable, difference);
    if (weighed !== undefined) return { from, to, weighed };
  }
  return undefined;
}

/** Of those that gain at least half of what they copy. */
function nearest(movable: ReadonlySet<Weighed>, difference: number): Weighed | undefined {
  let best: Weighed | undefined;
  const offOf = ({ weight }: Weighed) => Math.abs(difference / 2 - weight);
  for (const each of movable) {
    const gain = Math.min(each.weight, difference - each.weight);
    if (each.weight <= 0 || gain < each.weight / 2) continue;
    const closer = best === undefined ? -1 : offOf(each) - offOf(best);
    if (best === undefined || closer < 0 || (closer === 0 && heaviestFirst(each, best) < 0)) best = each;
  }
  return best;
}

function emptiestFirst(a: Load, b: Load): number {
  return a.sum - b.sum || compare(a.name, b.name);
}

/** Of the same weight, what is copied faster. */
function heaviestFirst(a: Weighed, b: Weighed): number {
  const bytes = (a.tenant.bytes ?? Infinity) - (b.tenant.bytes ?? Infinity);
  return b.weight - a.weight || bytes || compare(a.tenant.schema, b.tenant.schema);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

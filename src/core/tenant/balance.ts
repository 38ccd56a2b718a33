import type { Database } from '../../db/database.ts';
import type { TenantNames } from '../../names.ts';
import { inVerbRun, type FleetVerbOptions } from '../commands/in-verb-run.ts';
import { toVerbResult, verbResults, type VerbResult, type VerbResults } from '../commands/verb-result.ts';
import { nodeAt, nodeName, readNodes } from '../fleet/nodes.ts';
import { planBalance, type BalanceMeasure, type PlannedMove } from '../fleet/plan-balance.ts';
import { tenantsByNode } from '../fleet/tenants-by-node.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { endingOfOutcomes, type RunEnding } from '../ledger/run-ending.ts';
import { checkCall } from '../options/check-call.ts';
import { RENAMABLE } from '../registry/transitions.ts';
import type { Observer } from '../report/event.ts';
import { createLanes, type Lanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { observeEnd } from '../serve/observe-end.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt, Earlier, Outcome } from '../serve/work.ts';
import { attemptMove, countCopied, type Moved } from './move/attempt-move.ts';

export interface BalanceOptions extends FleetVerbOptions {
  /** What is to be even: the bytes of the nodes (if absent), or the number of their tenants. */
  readonly by?: BalanceMeasure | undefined;
  /** A node whose load differs from the average by at most so many per cent is left alone; 10 if absent. */
  readonly threshold?: number | undefined;
  /** Moves at most so many tenants. */
  readonly maxMoves?: number | undefined;
  /** Moves everything away from this node, and nothing else: host:port, or the host alone if it has one node. */
  readonly drain?: string | undefined;
  /** Copies each tenant while nobody can write to it: for tables without a primary key, and faster. */
  readonly blockWrites?: boolean | undefined;
  /** Tenants in parallel; 1 if absent: each move copies a tenant. */
  readonly concurrency?: FleetVerbOptions['concurrency'];
}

/** A node, before and after the moves. */
export interface BalancedNode {
  /** host:port */
  readonly name: string;
  /** False if the node is not active, is marked so, or is to be drained. */
  readonly takesTenants: boolean;
  readonly before: NodeLoad;
  /** As the moves leave it; of a plan, as they would. */
  readonly after: NodeLoad;
}

export interface NodeLoad {
  readonly tenants: number;
  /** Null if the node could not be asked. */
  readonly bytes: number | null;
}

/** How one move ended. `left-alone`: the tenant was moved elsewhere, dropped or taken out of use after the plan. */
export interface BalanceResult extends VerbResult<'moved' | 'already-there' | 'left-alone'> {
  readonly bytes: number | null;
  /** Nodes, as host:port. */
  readonly from: string;
  readonly to: string;
  /** Why it was left alone. */
  readonly reason?: string | undefined;
}

export interface Balance extends VerbResults<BalanceResult> {
  readonly nodes: readonly BalancedNode[];
  /** Further moves of the plan, which `maxMoves` has cut off. */
  readonly left: number;
}

export interface BalancePlan extends Pick<Balance, 'nodes' | 'left'> {
  readonly moves: readonly PlannedMove[];
}

/**
 * Evens out the tenants over the nodes of the cluster: each move of the plan is a transaction of its own under the
 * tenant's lock, as with moveTenant. A tenant that fails does not stop the others. ACTIVE and SUSPENDED tenants move; the
 * others count where they are.
 * @throws TenantctlError NODES_ABSENT; NODE_UNKNOWN for the node to drain; NODE_UNUSABLE if no node can take the tenants,
 *   or if one could not be asked for sizes. One tenant's failure is in its result
 */
export async function balanceTenants(database: Database, given: BalanceOptions = {}): Promise<Balance> {
  const options = checkCall(database, given);
  const { by, threshold, maxMoves, drain, blockWrites } = options;
  const asked = { by, threshold, maxMoves, drain, ...(blockWrites === true && { blockWrites }) };
  const call = { command: 'fleet balance', options, asked, endingOf } as const;
  return inVerbRun<Balance>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const { moves, nodes, left } = await decideBalance(database, options);
    observe({ type: 'selected', total: moves.length, due: moves.length });
    if (moves.length === 0) return { ...verbResults([], elapsedMs()), nodes, left };
    await prepareState(database, await readState(database), observe);
    await run.begin([]);
    const lanes = await createLanes(database, options.concurrency ?? 1, observe, moves.length);
    const work = { lanes, observe, blocksWrites: blockWrites === true };
    const results = await serveMoves(context, moves, work);
    const moved = results.filter(({ outcome }) => outcome === 'moved' || outcome === 'already-there');
    const after = nodes.map((node) => ({ ...node, after: loadAfter(node, moved) }));
    return { ...verbResults(results, elapsedMs()), nodes: after, left };
  });
}

/** What balanceTenants would do; nothing is changed. @throws TenantctlError as balanceTenants */
export async function planTenantBalance(
  database: Database,
  given: BalanceOptions = {},
): Promise<BalancePlan> {
  return decideBalance(database, checkCall(database, given));
}

async function decideBalance(
  database: Database,
  { by = 'size', threshold = 10, maxMoves, drain: asked }: BalanceOptions,
): Promise<BalancePlan> {
  const drain = asked === undefined ? undefined : nodeName(nodeAt(await readNodes(database), asked));
  const { nodes } = await tenantsByNode(database);
  const facts = nodes.map((node) => ({
    ...node,
    tenants: node.tenants.map((tenant) => ({ ...tenant, isFixed: !isMovable(tenant) })),
  }));
  const { moves, left } = planBalance(facts, { by, threshold, maxMoves, drain });
  const shown = nodes.filter(({ takesTenants, tenants }) => takesTenants || tenants.length > 0);
  const loads = shown.map(({ name, isActive, takesTenants, tenants, bytes }) => ({
    name,
    takesTenants: isActive && takesTenants && name !== drain,
    before: { tenants: tenants.length, bytes },
  }));
  return { moves, left, nodes: loads.map((node) => ({ ...node, after: loadAfter(node, moves) })) };
}

function isMovable({
  status,
  isUnfinished,
}: {
  readonly status: string;
  readonly isUnfinished: boolean;
}): boolean {
  return !isUnfinished && RENAMABLE.some((word) => word === status);
}

function loadAfter(
  { name, before }: Pick<BalancedNode, 'name' | 'before'>,
  moves: readonly Pick<PlannedMove, 'from' | 'to' | 'bytes'>[],
): NodeLoad {
  let { tenants, bytes } = before;
  for (const move of moves) {
    const sign = Number(move.to === name) - Number(move.from === name);
    tenants += sign;
    if (sign !== 0) bytes = bytes === null || move.bytes === null ? null : bytes + sign * move.bytes;
  }
  return { tenants, bytes };
}

interface MoveTask {
  readonly tenant: TenantNames;
  readonly move: PlannedMove;
}

interface MoveWork {
  readonly lanes: Lanes;
  readonly observe: Observer;
  readonly blocksWrites: boolean;
}

type Done = Pick<BalanceResult, 'reason'> & { readonly outcome: 'moved' | 'already-there' | 'left-alone' };

async function serveMoves(
  context: RunContext,
  moves: readonly PlannedMove[],
  { lanes, observe, blocksWrites }: MoveWork,
): Promise<BalanceResult[]> {
  const copied = countCopied(observe);
  const { outcomes } = await serve<MoveTask, Done>(
    context,
    moves.map((move) => ({ tenant: { clerkOrgId: move.clerkOrgId, schema: move.schema }, move })),
    {
      lanes,
      observe,
      attempt: (task, earlier) =>
        attempt(context, task, blocksWrites, (bytes) => copied(task.tenant, bytes), earlier),
      onEnd: observeEnd(observe, 'moved', toResult),
      // A tenant's last failure is that of a migration, and decides its class: only the run records these.
      ledger: { command: 'fleet balance', direction: 'up', areStanding: true },
    },
  );
  return outcomes.map(toResult);
}

function toResult(outcome: Outcome<MoveTask, Done>): BalanceResult {
  const { bytes, from, to } = outcome.task.move;
  return toVerbResult(outcome, { bytes, from, to }, (done) => done);
}

async function attempt(
  context: RunContext,
  { tenant, move }: MoveTask,
  blocksWrites: boolean,
  onBytes: (bytes: number) => void,
  { mayBeCommitted, tries }: Earlier<Done>,
): Promise<Attempt<Done>> {
  const to = nodeOf(move.to);
  const wanted = { tenant, to, onlyFrom: move.from, blocksWrites, onBytes };
  const tried = await attemptMove(context, wanted, { mayBeCommitted, tries });
  if (tried.kind === 'done') return { kind: 'done', done: doneOf(tried.done, move) };
  // Somebody else has dropped it, or taken it out of use.
  if (tried.kind === 'failed' && GONE.some((code) => code === tried.error.code))
    return { kind: 'done', done: { outcome: 'left-alone', reason: tried.error.message } };
  return tried as Attempt<never>;
}

const GONE = ['TENANT_UNKNOWN', 'TENANT_NOT_ACTIVE', 'TENANT_UNFINISHED'] as const;

function doneOf({ isMoved, place }: Moved, { to }: PlannedMove): Done {
  if (isMoved) return { outcome: 'moved' };
  if (place === to) return { outcome: 'already-there' };
  return { outcome: 'left-alone', reason: `It has been moved to ${place} meanwhile.` };
}

function nodeOf(name: string): { readonly host: string; readonly port: number } {
  const at = name.lastIndexOf(':');
  return { host: name.slice(0, at), port: Number(name.slice(at + 1)) };
}

function endingOf({ tenants }: Balance): RunEnding {
  return endingOfOutcomes(tenants, { changed: ['moved'], upToDate: ['already-there', 'left-alone'] });
}

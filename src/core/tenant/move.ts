import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { TenantNames } from '../../names.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { inVerbRun, type VerbOptions } from '../commands/in-verb-run.ts';
import { nodeName, nodeNamed, readNodes, type Node } from '../fleet/nodes.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { checkCall } from '../options/check-call.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { findTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { RENAMABLE } from '../registry/transitions.ts';
import type { Observer } from '../report/event.ts';
import { ONE_LANE } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import { assertFinished } from '../state/unfinished-verb.ts';
import { attemptMove, countCopied, placeOf, type Moved } from './move/attempt-move.ts';

export interface MoveOptions extends VerbOptions {
  /** A node of the cluster: its host and port ("worker-2.internal:5432"), or the host alone if it has one node. */
  readonly to: string;
  /** Copies the tenant while nobody can write to it: for tables without a primary key, and faster. */
  readonly blockWrites?: boolean | undefined;
}

export interface MoveResult extends TenantNames {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** `already-there`: nothing was changed. */
  readonly outcome: 'moved' | 'already-there';
  /** Nodes, as host:port. */
  readonly from: string;
  readonly to: string;
  readonly durationMs: number;
}

interface PlannedMove {
  readonly tenant: TenantNames;
  readonly from: string;
  readonly to: Node;
}

/**
 * Moves a tenant to another node of the cluster, in one transaction under its lock. Applications can read and write
 * meanwhile; writes wait a moment at the end, or with `blockWrites` all the time.
 * @param tenant an organization id or a schema name
 * @throws TenantctlError NODES_ABSENT, NODE_UNKNOWN, NODE_UNUSABLE; TENANT_UNKNOWN; TENANT_NOT_ACTIVE unless it is ACTIVE
 *   or SUSPENDED; TENANT_UNFINISHED; TENANT_NOT_ON_NODE; LOCK_TIMEOUT
 */
export async function moveTenant(
  database: Database,
  tenant: string,
  given: MoveOptions,
): Promise<MoveResult> {
  checkCall(database, { ...given, tenant }, 'tenant', 'to');
  const options = checkCall(database, given, 'to');
  const { blockWrites } = options;
  const asked = { tenants: [tenant], to: options.to, ...(blockWrites === true && { blockWrites }) };
  const call = { command: 'tenant move', options, asked, endingOf } as const;
  return inVerbRun<MoveResult>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const move = await decideMove(database, tenant, options);
    if (isDone(move)) return resultOf(move, 'already-there', elapsedMs());
    await prepareState(database, await readState(database), observe);
    await run.begin([]);
    observe({ type: 'selected', total: 1, due: 1 });
    observe({ type: 'phase', message: `moving ${move.tenant.clerkOrgId} to ${nodeName(move.to)}` });
    const isMoved = await serveMove(context, move, blockWrites === true, observe);
    return resultOf(move, isMoved ? 'moved' : 'already-there', elapsedMs());
  });
}

/** What moveTenant would do; nothing is changed. @throws TenantctlError as moveTenant */
export async function planMove(
  database: Database,
  tenant: string,
  options: MoveOptions,
): Promise<MoveResult> {
  checkCall(database, { ...options, tenant }, 'tenant', 'to');
  const elapsedMs = startStopwatch();
  const move = await decideMove(database, tenant, options);
  return resultOf(move, isDone(move) ? 'already-there' : 'moved', elapsedMs());
}

async function decideMove(database: Database, name: string, { to }: MoveOptions): Promise<PlannedMove> {
  await assertRegistry(database);
  const nodes = await readNodes(database);
  const [tenant] = await findTenants(database, [name]);
  if (tenant === undefined) throw new Error('findTenants refuses what it does not find');
  const node = nodeNamed(nodes, to);
  assertFinished(tenant.unfinished);
  if (!RENAMABLE.some((word) => word === tenant.status)) throw tenantNotActive(tenant, tenant.status);
  const { clerkOrgId, schema } = tenant;
  return { tenant: { clerkOrgId, schema }, from: await placeOf(database, tenant), to: node };
}

function isDone({ from, to }: PlannedMove): boolean {
  return from === nodeName(to);
}

async function serveMove(
  context: RunContext,
  { tenant, to }: PlannedMove,
  blocksWrites: boolean,
  observe: Observer,
): Promise<boolean> {
  const copied = countCopied(observe);
  const onBytes = (bytes: number) => copied(tenant, bytes);
  const { outcomes } = await serve<{ readonly tenant: TenantNames }, Moved>(context, [{ tenant }], {
    lanes: ONE_LANE,
    observe,
    attempt: (_, earlier) => attemptMove(context, { tenant, to, blocksWrites, onBytes }, earlier),
    // A tenant's last failure is that of a migration, and decides its class: only the run records this one.
    ledger: { command: 'tenant move', direction: 'up', areStanding: true },
  });
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done.isMoved;
  if (outcome?.kind === 'failed') throw outcome.error;
  throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was moved.');
}

function endingOf({ outcome }: MoveResult): RunEnding {
  const changed = outcome === 'moved' ? 1 : 0;
  return { outcome: 'done', totals: { selected: 1, upToDate: 1 - changed, changed, failed: 0, skipped: 0 } };
}

function resultOf(
  { tenant, from, to }: PlannedMove,
  outcome: MoveResult['outcome'],
  durationMs: number,
): MoveResult {
  return { ...tenant, outcome, from, to: nodeName(to), durationMs };
}

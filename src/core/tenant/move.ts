import type { PoolClient } from 'pg';
import { moveSchema, NO_IDENTITY, SCHEMAS_ON_NODES } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { TenantNames } from '../../names.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { inVerbRun, type VerbOptions } from '../commands/in-verb-run.ts';
import { tryUnderLock } from '../commands/try-under-lock.ts';
import { nodeName, nodeNamed, readNodes, type Node } from '../fleet/nodes.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
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
import type { Attempt, Earlier } from '../serve/work.ts';
import { assertFinished } from '../state/unfinished-verb.ts';

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

interface Move {
  readonly tenant: TenantNames;
  readonly from: string;
  readonly to: Node;
  readonly blocksWrites: boolean;
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
    observe({ type: 'phase', message: `moving ${move.tenant.clerkOrgId} to ${nodeName(move.to)}` });
    const isMoved = await serveMove(context, move, observe);
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

async function decideMove(
  database: Database,
  name: string,
  { to, blockWrites: blocksWrites = false }: MoveOptions,
): Promise<Move> {
  await assertRegistry(database);
  const nodes = await readNodes(database);
  const [tenant] = await findTenants(database, [name]);
  if (tenant === undefined) throw new Error('findTenants refuses what it does not find');
  const node = nodeNamed(nodes, to);
  assertFinished(tenant.unfinished);
  if (!RENAMABLE.some((word) => word === tenant.status)) throw tenantNotActive(tenant, tenant.status);
  const { clerkOrgId, schema } = tenant;
  return { tenant: { clerkOrgId, schema }, from: await placeOf(database, tenant), to: node, blocksWrites };
}

/** host:port @throws TenantctlError TENANT_NOT_ON_NODE */
async function placeOf(
  connection: Pick<Database, 'query'> | PoolClient,
  { clerkOrgId: tenant, schema }: TenantNames,
): Promise<string> {
  const { rows } = await (connection as Pick<Database, 'query'>).query<Pick<Node, 'host' | 'port'>>(
    `SELECT host, port FROM (${SCHEMAS_ON_NODES}) s WHERE schema = ${literal(schema)}`,
  );
  if (rows[0] !== undefined) return nodeName(rows[0]);
  throw new TenantctlError('TENANT_NOT_ON_NODE', `The schema ${schema} of "${tenant}" is on no node.`, {
    tenant,
    hint: 'It was made while citus.enable_schema_based_sharding was off, or it does not exist. As its owner: SELECT citus_schema_distribute(...) puts a schema on a node.',
  });
}

function isDone({ from, to }: Move): boolean {
  return from === nodeName(to);
}

async function serveMove(context: RunContext, move: Move, observe: Observer): Promise<boolean> {
  const { outcomes } = await serve<{ readonly tenant: TenantNames }, boolean>(
    context,
    [{ tenant: move.tenant }],
    {
      lanes: ONE_LANE,
      observe,
      attempt: (_, earlier) => attemptMove(context, move, earlier),
      // A tenant's last failure is that of a migration, and decides its class: only the run records this one.
      ledger: { command: 'tenant move', direction: 'up', areStanding: true },
    },
  );
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done;
  if (outcome?.kind === 'failed') throw outcome.error;
  throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was moved.');
}

/** @returns whether the tenant was moved; it is there in any case */
function attemptMove(
  context: RunContext,
  { tenant, to, blocksWrites }: Move,
  { mayBeCommitted }: Earlier<boolean>,
): Promise<Attempt<boolean>> {
  // Copying takes as long as the tenant is large.
  const unlimited = { ...context, statementTimeoutMs: context.statementTimeoutMs ?? 0 };
  return tryUnderLock<boolean>(
    unlimited,
    tenant.schema,
    async (transaction) => {
      const { client } = transaction;
      if ((await placeOf(client, tenant)) === nodeName(to)) {
        transaction.abandon();
        return { kind: 'done', done: mayBeCommitted };
      }
      await client.query(moveSchema(tenant.schema, to, blocksWrites));
      await transaction.commitWith(
        recordInLedger(context.run?.id, tenant, { direction: 'up', outcome: 'moved' }),
      );
      return { kind: 'done', done: true };
    },
    (thrown) => {
      const error = toDatabaseError(thrown);
      return NO_IDENTITY.test(error.message)
        ? error.with({
            hint: 'Give the table a primary key, or move the tenant with --block-writes: nobody can write to it meanwhile.',
          })
        : error;
    },
  );
}

function endingOf({ outcome }: MoveResult): RunEnding {
  const changed = outcome === 'moved' ? 1 : 0;
  return { outcome: 'done', totals: { selected: 1, upToDate: 1 - changed, changed, failed: 0, skipped: 0 } };
}

function resultOf(
  { tenant, from, to }: Move,
  outcome: MoveResult['outcome'],
  durationMs: number,
): MoveResult {
  return { ...tenant, outcome, from, to: nodeName(to), durationMs };
}

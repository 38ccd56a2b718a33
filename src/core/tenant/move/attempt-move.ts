import type { PoolClient } from 'pg';
import { bytesCopied, moveSchema, NO_IDENTITY, SCHEMAS_ON_NODES } from '../../../db/citus.ts';
import type { Database } from '../../../db/database.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { TenantctlError } from '../../../errors.ts';
import type { TenantNames } from '../../../names.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import { nodeName, type Node } from '../../fleet/nodes.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { statusIn } from '../../registry/status.ts';
import { RENAMABLE } from '../../registry/transitions.ts';
import type { Observer } from '../../report/event.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt, Earlier } from '../../serve/work.ts';

export interface Move {
  readonly tenant: TenantNames;
  readonly to: Pick<Node, 'host' | 'port'>;
  /** host:port, if the tenant is to move from there alone. */
  readonly onlyFrom?: string | undefined;
  readonly blocksWrites: boolean;
  /** Told how many bytes of the tenant are copied so far, every second or so. */
  readonly onBytes: (bytes: number) => void;
}

export interface Moved {
  /** Also if an earlier attempt has moved it; false if nothing was changed. */
  readonly isMoved: boolean;
  /** Where it is now: host:port. */
  readonly place: string;
}

/** One try to move a tenant, in one transaction under its lock. */
export function attemptMove(
  context: RunContext,
  { tenant, to, onlyFrom, blocksWrites, onBytes }: Move,
  { mayBeCommitted }: Earlier<Moved>,
): Promise<Attempt<Moved>> {
  const { database } = context;
  // Copying takes as long as the tenant is large.
  const unlimited = { ...context, statementTimeoutMs: context.statementTimeoutMs ?? 0 };
  return tryUnderLock<Moved>(
    unlimited,
    tenant.schema,
    async (transaction) => {
      const { client } = transaction;
      const { rows } = await client.query<{ status: string | null }>(
        `SELECT ${statusIn(database.names, tenant)} AS status`,
      );
      const { status = null } = rows[0] ?? {};
      if (!RENAMABLE.some((word) => word === status)) throw tenantNotActive(tenant, status);
      const place = await placeOf(client, tenant);
      const isThere = place === nodeName(to);
      if (isThere || (onlyFrom !== undefined && place !== onlyFrom)) {
        transaction.abandon();
        return { kind: 'done', done: { isMoved: isThere && mayBeCommitted, place } };
      }
      const watch = watchCopying(database, tenant.schema, onBytes);
      try {
        await client.query(moveSchema(tenant.schema, to, blocksWrites));
      } finally {
        watch.stop();
      }
      await transaction.commitWith(
        recordInLedger(context.run?.id, tenant, { direction: 'up', outcome: 'moved' }),
      );
      return { kind: 'done', done: { isMoved: true, place: nodeName(to) } };
    },
    explainMove,
  );
}

function explainMove(thrown: unknown): TenantctlError {
  const error = toDatabaseError(thrown);
  return NO_IDENTITY.test(error.message)
    ? error.with({
        hint: 'Give the table a primary key, or move the tenant with --block-writes: nobody can write to it meanwhile.',
      })
    : error;
}

/** host:port @throws TenantctlError TENANT_NOT_ON_NODE */
export async function placeOf(
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

/** Milliseconds between two looks: each asks both nodes. */
const LOOK_INTERVAL_MS = 1_000;

/** Asks how much of a schema is copied, on a connection of its own. */
function watchCopying(
  database: Database,
  schema: string,
  onBytes: (bytes: number) => void,
): { readonly stop: () => void } {
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    try {
      const { rows } = await database.query<{ bytes: number | null }>(bytesCopied(schema));
      const bytes = rows[0]?.bytes ?? 0;
      if (bytes > 0) onBytes(bytes);
    } catch {
      // Without a spare connection there is no progress to show. What is wrong with the server, the move finds.
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), LOOK_INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Reports how many bytes a run has copied. @returns a function that is told each tenant's bytes so far */
export function countCopied(observe: Observer): (tenant: TenantNames, bytes: number) => void {
  const copied = new Map<string, number>();
  let total = 0;
  return (tenant, bytes) => {
    total += bytes - (copied.get(tenant.schema) ?? 0);
    copied.set(tenant.schema, bytes);
    observe({ type: 'written', tenant, bytes, total });
  };
}

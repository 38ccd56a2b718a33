import { setTimeout } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { cancelRunning } from '../db/pg-internals.ts';
import { isError } from '../is-error.ts';
import {
  aborted,
  assertUsable,
  behind,
  changed,
  isSame,
  refused,
  rightsMissing,
  sqlstateOf,
} from './admission.ts';
import {
  beginCall,
  endCall,
  enterCall,
  REFUSAL,
  ROLL_BACK,
  toFacts,
  type CallOptions,
  type CallTarget,
} from './call-sql.ts';
import type { Admitted, TenantContext } from './admission.ts';
import type { ConnectionSource } from './connection-source.ts';
import { queryRaw } from './query-raw.ts';
import { lend, type Leash, type TenantClient } from './tenant-client.ts';

/** A call for one tenant. */
export interface CallRequest extends CallTarget {
  /** What the caller knows of the tenant, if more than its organization. */
  readonly expected?: TenantContext | undefined;
  readonly options: CallOptions & { readonly signal?: AbortSignal | undefined };
}

/** Runs work in a transaction of a tenant, on a connection of the pool. See openTenants. */
export async function runCall<Result>(
  source: ConnectionSource,
  request: CallRequest,
  work: (client: TenantClient, facts: Admitted, committed: Promise<void>) => Promise<Result>,
): Promise<Result> {
  const { signal } = request.options;
  return withConnection(source, signal, async (connection, condition) => {
    const facts = await enter(connection, request);
    signal?.throwIfAborted();
    const leash = lend(connection, request.org, facts.before);
    const stopped = stopWith(signal, connection, leash);
    const committed = Promise.withResolvers<void>();
    committed.promise.catch(() => {});
    // A cursor of a broken connection is never closed.
    const end = () => Promise.race([leash.end(), condition.broken.promise.catch(() => undefined)]);
    try {
      const result = await Promise.race([
        work(leash.client, facts, committed.promise),
        stopped.aborted,
        condition.broken.promise,
      ]);
      const unheard = await end();
      if (unheard !== undefined) throw unheard;
      signal?.throwIfAborted();
      await commit(connection, facts, leash, request);
      committed.resolve();
      return result;
    } catch (error) {
      committed.reject(error);
      if (leash.busy() !== undefined) stopped.stop(error);
      await end();
      throw error;
    } finally {
      if (leash.isStuck()) condition.isClean = false;
      await stopped.clear();
    }
  });
}

/** @throws TenantctlError TRANSACTION_ABORTED if the work has swallowed the error of a statement */
async function commit(
  connection: ClientBase,
  facts: Admitted,
  leash: Leash,
  { org, options }: CallRequest,
): Promise<void> {
  try {
    await queryRaw(connection, [...endCall(facts, leash.changed), 'COMMIT'].join(';\n'));
  } catch (error) {
    // The signal has cancelled it.
    options.signal?.throwIfAborted();
    // 25P02: the transaction was aborted before.
    throw sqlstateOf(error) === '25P02' ? aborted(org, leash.failure() ?? error) : error;
  }
}

/** How a connection is while a call has it. */
interface Condition {
  isClean: boolean;
  /** Rejects when it breaks: nothing can be committed then, and some streams of pg never end. */
  readonly broken: PromiseWithResolvers<never>;
}

/** A connection that goes back to the pool without a transaction, or is destroyed. */
async function withConnection<Result>(
  source: ConnectionSource,
  signal: AbortSignal | undefined,
  use: (connection: ClientBase, condition: Condition) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(source, signal);
  const condition = { isClean: true, broken: Promise.withResolvers<never>() };
  condition.broken.promise.catch(() => {});
  // Without a listener, a connection that breaks would end the process. The query that fails says it.
  const onBreak = (error: Error) => {
    condition.isClean = false;
    condition.broken.reject(error);
  };
  connection.on('error', onBreak);
  try {
    return await use(connection, condition);
  } catch (error) {
    const reason = refusalIn(error);
    condition.isClean &&= reason === undefined && (await rollBack(connection));
    throw reason === undefined ? error : refused(reason, error);
  } finally {
    connection.off('error', onBreak);
    source.giveBack(connection, !condition.isClean);
  }
}

/** A connection of the pool. If the caller stops waiting, the one that comes goes back at once. */
async function connect(source: ConnectionSource, signal: AbortSignal | undefined): Promise<ClientBase> {
  signal?.throwIfAborted();
  const connecting = source.take();
  if (signal === undefined) return connecting;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    if (signal.aborted)
      void connecting.then(
        (late) => source.giveBack(late, false),
        () => {},
      );
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** @returns whether the connection is as it was before the call */
async function rollBack(connection: ClientBase): Promise<boolean> {
  // One string: behind a pooler, the next one may reach another session.
  return connection.query(ROLL_BACK).then(
    () => true,
    () => false,
  );
}

/** Begins the call's transaction. @throws TenantctlError if the tenant must not be used */
async function enter(connection: ClientBase, request: CallRequest): Promise<Admitted> {
  const { org, options } = request;
  const { atLeast } = options;
  const send = (asked: CallOptions) =>
    queryRaw(connection, [beginCall(asked), ...enterCall(request, asked)].join(';\n'));
  try {
    const rows = await send(options);
    const facts = admit(request, rows);
    if (atLeast !== undefined && rows.at(-1)?.['hasMigration'] !== 't') throw behind(org, atLeast);
    return facts;
  } catch (error) {
    // 42P01: there is no history. A tenant that is unknown has none either.
    if (atLeast === undefined || sqlstateOf(error) !== '42P01') throw rightsMissing(org, error) ?? error;
    await connection.query('ROLLBACK');
    admit(request, await send({ ...options, atLeast: undefined }));
    throw behind(org, atLeast);
  }
}

function admit({ org, expected, settings }: CallRequest, [row]: readonly Record<string, string>[]): Admitted {
  const facts = row?.['schemaId'] === undefined ? undefined : toFacts(row, settings);
  assertUsable(org, facts);
  if (expected !== undefined && !isSame(expected, facts)) throw changed(expected, facts);
  return facts;
}

/** Stops a call when its signal does: the running statement is cancelled, and no other one is sent. */
function stopWith(signal: AbortSignal | undefined, connection: ClientBase, leash: Leash) {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  let cancelling: Promise<unknown> | undefined;
  const stop = (reason: unknown) => {
    leash.refuse(reason as Error);
    cancelling ??= cancelUntilAnswered(connection, leash);
    reject(reason);
  };
  const onAbort = () => stop(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  aborted.catch(() => {});
  return {
    aborted,
    /** What runs after an error would be rolled back anyway. */
    stop,
    /** A late request would cancel what the connection does next. */
    async clear() {
      signal?.removeEventListener('abort', onAbort);
      await cancelling;
    },
  };
}

/** After this time without an answer, a statement is cancelled again. */
const CANCEL_AGAIN_MS = 100;

/** A request that reaches the server before the statement does nothing: it is repeated. */
async function cancelUntilAnswered(connection: ClientBase, leash: Leash): Promise<void> {
  do await cancelRunning(connection, 5_000).catch(() => {});
  while ((await Promise.race([leash.busy(), setTimeout(CANCEL_AGAIN_MS, true, { ref: false })])) === true);
}

/** Why the server refused the end of a call; undefined for other errors. */
function refusalIn(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  const [, reason] = error.message.split(REFUSAL);
  return reason?.replace(/"$/, '');
}

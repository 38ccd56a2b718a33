import type { PoolClient } from 'pg';
import { IDLE_TIMEOUT_MS } from './dead-client.ts';

/** Milliseconds between keepalives; routers also drop silent connections. */
const SIGN_OF_LIFE_MS = 15_000;

/** Restarts the server's idle timeout. A snapshot would block CREATE INDEX CONCURRENTLY; this takes none. */
const SIGN_OF_LIFE = '';

/** Keeps an idle transaction alive while work is done elsewhere. */
export interface LockKeeper {
  /** Aborted when the connection, and so the transaction with its locks, is lost. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** Keeps the transaction alive while the work is not on the server, as when a file is flushed, or a stream waits. */
export async function keepingLock<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  const keeper = keepLock(client);
  try {
    const done = await work();
    await keeper.release();
    return done;
  } catch (error) {
    // A keepalive may wait for a COPY that nobody reads any more.
    void keeper.release();
    throw error;
  }
}

/**
 * Sends keepalives so that the server does not end this idle transaction. If the client's host vanishes, or a
 * migration blocks the event loop longer than the idle timeout, they stop and the server ends it.
 */
export function keepLock(client: PoolClient): LockKeeper {
  const lost = new AbortController();
  const onLost = () => lost.abort();
  client.on('error', onLost);
  client.on('end', onLost);
  let sign: Promise<unknown> | undefined;
  let sentAt = 0;
  const timer = setInterval(() => {
    if (sign !== undefined) {
      if (performance.now() - sentAt > IDLE_TIMEOUT_MS) onLost();
      return;
    }
    sentAt = performance.now();
    sign = client
      .query(SIGN_OF_LIFE)
      .catch(onLost)
      .finally(() => (sign = undefined));
  }, SIGN_OF_LIFE_MS);
  // The connection, not the timer, keeps the process alive.
  timer.unref();
  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer);
      if (!lost.signal.aborted) await sign;
      client.off('error', onLost);
      client.off('end', onLost);
    },
  };
}

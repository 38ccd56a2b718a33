import type { PoolClient } from 'pg';
import { IDLE_TIMEOUT_MS } from './dead-client.ts';

/** Milliseconds between two signs of life; routers, too, forget silent connections. */
const SIGN_OF_LIFE_MS = 15_000;

/**
 * A string without a statement: the server's idle timeout starts anew, and no snapshot is taken. CREATE INDEX
 * CONCURRENTLY would wait for the end of a transaction that has one.
 */
const SIGN_OF_LIFE = '';

/** Watches over an idle transaction while work is done elsewhere. */
export interface LockKeeper {
  /** Aborted when the connection is gone, and with it the transaction and its locks. */
  readonly lost: AbortSignal;
  /** Ends the watch. */
  release(): Promise<void>;
}

/**
 * Sends signs of life, so that the server does not end this idle transaction. They stop, and the server ends it, if the
 * client's host vanishes, or if a migration blocks Node's event loop for longer than the server waits.
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
      // The server may have vanished, too.
      if (performance.now() - sentAt > IDLE_TIMEOUT_MS) onLost();
      return;
    }
    sentAt = performance.now();
    sign = client
      .query(SIGN_OF_LIFE)
      .catch(onLost)
      .finally(() => (sign = undefined));
  }, SIGN_OF_LIFE_MS);
  // The connection keeps the process alive, if anything should.
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

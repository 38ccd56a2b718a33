import type { PoolClient } from 'pg';
import { IDLE_TIMEOUT_MS, SIGN_OF_LIFE, SIGN_OF_LIFE_MS } from './dead-client.ts';

/** Watches over a transaction that holds a lock while the work is done on another connection. */
export interface LockKeeper {
  /** Aborted when the connection is gone, and the lock with it. */
  readonly lost: AbortSignal;
  /** Ends the watch. */
  release(): Promise<void>;
}

/**
 * Gives the server signs of life, so that it goes on waiting for this transaction, and ends it when these stop: the
 * client's host has vanished, or a migration keeps Node's event loop busy for longer than the server waits.
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

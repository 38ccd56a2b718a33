import type { QueryResult } from 'pg';
import { onReady, setPipelining, socketOf } from './pg-internals.ts';
import { ROLL_BACK, withClient } from './transaction.ts';
import type { Database, ServerNotice } from './database.ts';

/** A connection that sends each string before the previous one is answered. */
export interface Pipeline {
  /**
   * Sends one string; strings sent without a wait in between share a write. It must be a whole transaction
   * starting with BEGIN: if the previous string failed, the server refuses it (25P02), and it can be sent
   * again.
   * @param onNotice called with what the server says meanwhile
   */
  send(text: string, onNotice: (notice: ServerNotice) => void): Promise<QueryResult | QueryResult[]>;
  /** Rolls back a failed transaction, if there is one, and resets the session. */
  clean(): Promise<void>;
}

/**
 * Runs `use` with a pooled connection in pg's pipeline mode (https://node-postgres.com/apis/client:
 * pipeline).
 * @param tenants returns how many tenants' tables `use` has opened; called at the end
 */
export async function withPipeline<T>(
  database: Database,
  use: (pipeline: Pipeline) => Promise<T>,
  tenants: () => number,
): Promise<T> {
  return withClient(
    database,
    async (client, spoil) => {
      const socket = socketOf(client);
      // In the order of the strings; pg settles a promise only after it has read more answers.
      const listeners: ((notice: ServerNotice) => void)[] = [];
      const listen = (notice: ServerNotice) => listeners[0]?.(notice);
      client.on('notice', listen);
      const forget = onReady(client, () => listeners.shift());
      setPipelining(client, true);
      try {
        return await use({
          async send(text, onNotice) {
            listeners.push(onNotice);
            socket.cork();
            queueMicrotask(() => socket.uncork());
            return client.query(text);
          },
          async clean() {
            listeners.push(() => {});
            await client.query(ROLL_BACK).catch((error: unknown) => {
              spoil();
              throw error;
            });
          },
        });
      } finally {
        setPipelining(client, false);
        forget();
        client.off('notice', listen);
      }
    },
    { tenants },
  );
}

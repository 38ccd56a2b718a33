import type { QueryResult } from 'pg';
import { setPipelining, socketOf } from './pg-internals.ts';
import { ROLL_BACK, withClient } from './transaction.ts';
import type { Database } from './database.ts';

/** A connection that sends each string before the previous one is answered. */
export interface Pipeline {
  /**
   * Sends one string; strings sent without a wait in between share a write. It must be a whole transaction
   * starting with BEGIN: if the previous string failed, the server refuses it (25P02), and it can be sent
   * again.
   */
  send(text: string): Promise<QueryResult | QueryResult[]>;
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
      setPipelining(client, true);
      try {
        return await use({
          async send(text) {
            socket.cork();
            queueMicrotask(() => socket.uncork());
            return client.query(text);
          },
          async clean() {
            await client.query(ROLL_BACK).catch((error: unknown) => {
              spoil();
              throw error;
            });
          },
        });
      } finally {
        setPipelining(client, false);
      }
    },
    { tenants },
  );
}

import type { QueryResult } from 'pg';
import { setPipelining, socketOf } from './pg-internals.ts';
import { ROLL_BACK, withClient } from './transaction.ts';
import type { Database } from './database.ts';

/** A connection that sends each string before the answer to the last has come. */
export interface Pipeline {
  /**
   * Sends one string, in one write with all that are sent without a wait in between. It must be a whole transaction that
   * begins with BEGIN: if the string before it failed, the server refuses it (25P02), and it can be sent again.
   * @throws what pg throws
   */
  send(text: string): Promise<QueryResult | QueryResult[]>;
  /** Rolls back a failed transaction, if there is one, and resets the session. */
  clean(): Promise<void>;
}

/**
 * Runs `use` with a connection of the pool in pg's pipeline mode (https://node-postgres.com/apis/client: pipeline).
 * @param tenants how many tenants' tables `use` has opened, called at its end
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

import type { PoolClient, QueryResult } from 'pg';
import type { Answer } from './answer.ts';
import { onAnswer, onReady, setPipelining, socketOf } from './pg-internals.ts';
import { ROLL_BACK, withClient } from './transaction.ts';
import type { Database, ServerNotice } from './database.ts';

/** A connection that sends each string before the previous one is answered. */
export interface Pipeline {
  /**
   * Sends one string; strings sent without a wait in between share a write. If another one is to follow before this one
   * is answered, it must be a whole transaction starting with BEGIN: if it fails, the server refuses the next (25P02),
   * which can be sent again.
   * @param listener what the server says meanwhile
   */
  send(text: string, listener: Listener): Promise<QueryResult | QueryResult[]>;
  /** Runs `work` with the connection outside pipeline mode. All strings must have been answered. */
  alone<T>(work: (client: PoolClient) => Promise<T>): Promise<T>;
  /** Rolls back a failed transaction, if there is one, and resets the session. */
  clean(): Promise<void>;
}

interface Listener {
  readonly onNotice: (notice: ServerNotice) => void;
  /** Takes the answer. */
  readonly answer?: Answer | undefined;
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
      const listeners: Listener[] = [];
      const listen = (notice: ServerNotice) => listeners[0]?.onNotice(notice);
      client.on('notice', listen);
      const ignore = onAnswer(client, (message) => listeners[0]?.answer?.take(message));
      const forget = onReady(client, () => listeners.shift());
      setPipelining(client, true);
      try {
        return await use({
          async send(text, listener) {
            listeners.push(listener);
            socket.cork();
            queueMicrotask(() => socket.uncork());
            return client.query(text);
          },
          async alone(work) {
            setPipelining(client, false);
            try {
              return await work(client);
            } finally {
              setPipelining(client, true);
            }
          },
          async clean() {
            listeners.push({ onNotice() {} });
            await client.query(ROLL_BACK).catch((error: unknown) => {
              spoil();
              throw error;
            });
          },
        });
      } finally {
        setPipelining(client, false);
        forget();
        ignore();
        client.off('notice', listen);
      }
    },
    { tenants },
  );
}

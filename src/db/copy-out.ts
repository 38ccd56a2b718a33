import type { PoolClient } from 'pg';
import { to } from 'pg-copy-streams';
import { cancelRunning } from './pg-internals.ts';

/** Milliseconds to wait until the server has taken a request to cancel. */
const CANCEL_MS = 5_000;

/**
 * The data of a COPY … TO STDOUT, in chunks of whatever size. The server waits while nobody asks for the next one. The
 * connection can do nothing else until the iteration is over. If it ends early, the statement is cancelled, and with it
 * the transaction.
 * @throws what the server answers
 */
export async function* copyOut(client: PoolClient, statement: string): AsyncGenerator<Buffer> {
  const stream = client.query(to(statement));
  let isOver = false;
  try {
    // Destroyed, it would leave the rest of the answer on the connection, unread.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
    isOver = true;
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    if (!isOver) {
      await cancelRunning(client, CANCEL_MS).catch(() => {});
      stream.on('error', () => {});
      stream.resume();
    }
  }
}

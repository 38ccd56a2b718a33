import type { Connection, PoolClient, Submittable } from 'pg';
import { createCopyDataFilter } from './copy-data-filter.ts';
import { cancelRunning, takeSocket } from './pg-internals.ts';

/** Milliseconds to wait until the server has taken a request to cancel. */
const CANCEL_MS = 5_000;

/**
 * The data of a COPY … TO STDOUT, in chunks of whatever size. The server waits while nobody asks for the next one. The
 * connection can do nothing else until the iteration is over. If it ends early, the statement is cancelled, and with it
 * the transaction.
 * @throws what the server answers
 */
export async function* copyOut(client: PoolClient, statement: string): AsyncGenerator<Buffer> {
  const copy = new CopyOut(client, statement);
  client.query(copy);
  try {
    for (let chunk = await copy.next(); chunk !== undefined; chunk = await copy.next()) yield chunk;
  } finally {
    if (!copy.isOver) {
      await cancelRunning(client, CANCEL_MS).catch(() => {});
      copy.discard();
    }
  }
}

/** A query whose data is taken from the socket before pg makes an object of each row. */
class CopyOut implements Submittable {
  readonly #client: PoolClient;
  readonly #statement: string;
  readonly #chunks: Buffer[] = [];
  #socket: ReturnType<typeof takeSocket> | undefined;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #isDiscarded = false;
  isOver = false;

  constructor(client: PoolClient, statement: string) {
    this.#client = client;
    this.#statement = statement;
  }

  /** @returns undefined at the end */
  async next(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0 && !this.isOver) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      this.#socket?.resume();
      await woken;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#chunks.shift();
  }

  /** Reads on to the end of the answer. */
  discard(): void {
    this.#isDiscarded = true;
    this.#socket?.resume();
  }

  submit(connection: Connection): void {
    const filter = createCopyDataFilter();
    const socket = takeSocket(this.#client, (chunk) => {
      const { data, others, rest } = filter(chunk);
      if (data.length > 0 && !this.#isDiscarded) {
        this.#chunks.push(data);
        socket.pause();
        this.#wake?.();
      }
      for (const other of others) socket.handOn(other);
      if (rest !== undefined) socket.giveBack(rest);
    });
    this.#socket = socket;
    connection.query(this.#statement);
  }

  handleError(error: Error): void {
    this.#failure = error;
    this.handleReadyForQuery();
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.isOver = true;
    this.#wake?.();
  }
}

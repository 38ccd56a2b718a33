import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { setPipelining, socketOf } from '../pg-internals.ts';

/** A statement that Knex is about to ask for. */
export interface NextStatement {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
  readonly output?: unknown;
  readonly options?: unknown;
}

export interface AheadOptions {
  /** Whether a text may be sent before the answers of those before it. */
  readonly mayGoAhead: (text: string) => boolean;
  /** Called before a text is sent; if it throws, it is not sent ahead. */
  readonly check: (text: string) => Promise<void>;
  /** False if nothing more may be sent. */
  readonly isOpen: () => boolean;
  /** Settles with what is in flight already: the first statement is sent without waiting for it. */
  readonly behind: Promise<unknown> | undefined;
}

/**
 * Sends the statements of one schema builder without waiting for each answer. Knex still asks for them one by one,
 * and is given the answers that have come. Within a transaction that changes nothing: after a failed statement the
 * server refuses the others (25P02), and Knex does not ask for them.
 */
export class StatementsAhead {
  readonly #client: PoolClient;
  readonly #options: AheadOptions;
  #behind: Promise<unknown> | undefined;
  /** What Knex will ask for next, if nobody else asks in between. */
  #expected: readonly string[] | undefined;
  #sent: { readonly text: string; readonly answer: Promise<unknown> }[] = [];
  /** Statements that were asked for and not answered. */
  #open = 0;
  /** Settles with the last statement that was sent ahead; set while pg is in pipeline mode. */
  #last: Promise<unknown> | undefined;

  constructor(client: PoolClient, options: AheadOptions) {
    this.#client = client;
    this.#options = options;
    this.#behind = options.behind;
  }

  /** Knex is about to ask for these, in this order. */
  expect(queries: readonly NextStatement[]): void {
    if (queries.length < 2) return;
    const { mayGoAhead } = this.#options;
    // Knex turns a question mark into a parameter, or `\?` into a question mark.
    const areAlone = queries.every(
      ({ sql, bindings = [], output, options }) =>
        output === undefined &&
        options === undefined &&
        bindings.length === 0 &&
        !sql.includes('?') &&
        mayGoAhead(sql),
    );
    this.#expected = areAlone && this.#open === 0 ? queries.map(({ sql }) => sql) : undefined;
  }

  /** Call it whenever Knex asks for a statement, and what it returns when that is answered. */
  asked(text: string): () => void {
    this.#open += 1;
    if (this.#sent[0]?.text !== text)
      this.#expected = this.#expected?.[0] === text ? this.#expected.slice(1) : undefined;
    return () => void (this.#open -= 1);
  }

  /** Whether this text was sent ahead, and is the next to be answered. */
  isNext(text: string): boolean {
    return this.#sent[0]?.text === text;
  }

  /** Sends a statement that Knex has asked for, or returns the answer if it was sent ahead. */
  async send(text: string, send: () => Promise<unknown>): Promise<unknown> {
    await this.#endPipelining();
    const answer = this.isNext(text) ? this.#sent.shift()?.answer : this.#sendFirst(send);
    try {
      return await answer;
    } catch (error) {
      this.#expected = undefined;
      this.#sent = [];
      throw error;
    } finally {
      await this.#endPipelining();
    }
  }

  /** Waits for what was sent and not asked for, after a failure. */
  async end(): Promise<void> {
    this.#sent = [];
    await this.#endPipelining();
  }

  async #sendFirst(send: () => Promise<unknown>): Promise<unknown> {
    const expected = this.#expected ?? [];
    if (expected.length === 0 && this.#behind === undefined) return send();
    this.#behind = undefined;
    setPipelining(this.#client, true);
    const first = send();
    this.#last = first;
    const [answer] = await Promise.all([first, this.#sendAhead(expected)]);
    return answer;
  }

  async #sendAhead(texts: readonly string[]): Promise<void> {
    if (texts.length === 0) return;
    // A builder that runs at the same time asks for its first statement now: it comes before the second of this one.
    await nextTurn();
    for (const text of texts) {
      const isRefused = await this.#options.check(text).then(
        () => false,
        () => true,
      );
      if (isRefused) return;
    }
    if (this.#expected !== texts || !this.#options.isOpen()) return;
    const socket = socketOf(this.#client);
    socket.cork();
    this.#sent = texts.map((text) => ({ text, answer: this.#client.query(text) }));
    socket.uncork();
    for (const { answer } of this.#sent) answer.catch(() => {});
    this.#last = this.#sent.at(-1)?.answer;
    this.#expected = undefined;
  }

  async #endPipelining(): Promise<void> {
    if (this.#last === undefined || this.#sent.length > 0) return;
    await this.#last.catch(() => {});
    this.#last = undefined;
    setPipelining(this.#client, false);
  }
}

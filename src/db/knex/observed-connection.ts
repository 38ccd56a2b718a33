import { DatabaseError, type PoolClient } from 'pg';
import { messageOf } from '../../errors.ts';
import { endsFrame, isFrame } from './insides.ts';
import { unread, type Recording } from './recording.ts';
import {
  StatementRefusedError,
  type Around,
  type FailedStatement,
  type Seen,
  type SentStatement,
} from './statement.ts';

export interface ObserveOptions {
  /** Asked before each statement; if it throws, the statement is not sent. */
  readonly check?: ((text: string) => Promise<void>) | undefined;
  /** Told of every statement before it is sent. */
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Sends each statement in its own way: changes settings before and after it, say. */
  readonly around?: Around | undefined;
  /** Records what the migration sends, and what would make it send something else to another tenant. */
  readonly recording?: Recording | undefined;
}

/**
 * A connection as Knex sees it. It sends statements one after the other: several at once (Promise.all on one
 * transaction) are legal in Knex, and deprecated in pg.
 */
export class ObservedConnection implements Seen {
  /** What Knex gets. */
  readonly proxy: PoolClient;
  /** The next statement is raw SQL. */
  isRaw = false;
  readonly failures: FailedStatement[] = [];
  /** The migration committed or rolled back, or tried to. */
  hasEnded = false;
  readonly #client: PoolClient;
  readonly #options: ObserveOptions;
  readonly #inTransaction: boolean;
  #state: 'open' | 'failed' | 'over' = 'open';
  #refused: StatementRefusedError | undefined;
  /** Ends with the last statement that was handed over. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Ends with the statement, or the check, that is on its way. */
  #inFlight: Promise<unknown> = Promise.resolve();

  constructor(client: PoolClient, options: ObserveOptions, inTransaction: boolean) {
    this.#client = client;
    this.#options = options;
    this.#inTransaction = inTransaction;
    const query = this.#query.bind(this);
    this.proxy = new Proxy(client, {
      get(target, property) {
        if (property === 'query') return query;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Lets statements pass while `work` runs, and none afterwards: the connection is somebody else's then. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      // What the migration started and did not wait for.
      for (let seen; seen !== this.#tail; await this.#tail) seen = this.#tail;
      this.#state = 'over';
    } catch (error) {
      this.#state = 'failed';
      await this.#inFlight;
      throw this.#refused ?? error;
    }
    // The migration has caught the refusal.
    if (this.#refused !== undefined) throw this.#refused;
  }

  /** In the place of pg's query: with a callback, or without. */
  #query(config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown): unknown {
    if (isSubmittable(config)) {
      this.#options.recording?.depends('it reads a stream');
      return this.#client.query(config as never);
    }
    const callback = typeof valuesOrCallback === 'function' ? valuesOrCallback : maybeCallback;
    const full = Array.isArray(valuesOrCallback) ? { ...asConfig(config), values: valuesOrCallback } : config;
    const { isRaw } = this;
    const sent = this.#tail.then(() => this.#send(full, isRaw));
    this.#tail = sent.catch(() => {});
    if (typeof callback !== 'function') return sent;
    sent.then((result) => callback(null, result), callback as (error: unknown) => void);
    return undefined;
  }

  async #send(config: unknown, isRaw: boolean): Promise<unknown> {
    const { text = '', values = [] } = asConfig(config);
    const isOfKnex = this.#inTransaction && isFrame(text);
    const refused = isOfKnex ? undefined : await this.#refusalOf(text);
    if (this.#state === 'over') throw new Error(`The migration is over, and sent: ${text}`);
    // One of several statements that were sent at once has failed, and with it the migration: send no other.
    if (this.#state === 'failed') return new Promise(() => {});
    if (isOfKnex) {
      // Knex begins once, and never ends here of its own accord.
      this.hasEnded ||= endsFrame(text);
      return { command: text, rowCount: 0, rows: [], fields: [], oid: 0 };
    }
    if (refused !== undefined) throw (this.#refused ??= refused);
    return this.#deliver(config, { text, values }, isRaw);
  }

  /** Why a statement must not be sent. */
  async #refusalOf(text: string): Promise<StatementRefusedError | undefined> {
    if (this.#state !== 'open') return undefined;
    const checked = this.#options.check?.(text).then(
      () => undefined,
      (reason: unknown) => new StatementRefusedError(reason),
    );
    this.#inFlight = checked ?? this.#inFlight;
    return checked;
  }

  async #deliver(config: unknown, statement: SentStatement, isRaw: boolean): Promise<unknown> {
    const { onStatement, recording, around } = this.#options;
    onStatement?.(statement);
    recording?.sent(statement);
    try {
      const send = () => this.#client.query(config as never) as Promise<unknown>;
      const answer = around === undefined ? send() : around(statement.text, send);
      this.#inFlight = answer.catch(() => {});
      const result = await answer;
      return recording === undefined ? result : unread(result, recording, isRaw);
    } catch (error) {
      recording?.depends('a statement failed');
      // 25P02: the transaction was aborted by an earlier statement.
      if (!(error instanceof DatabaseError && error.code === '25P02'))
        this.failures.push({ ...statement, error, message: messageOf(error) });
      throw error;
    }
  }
}

function asConfig(config: unknown): Partial<SentStatement> {
  return typeof config === 'string' ? { text: config } : (config as Partial<SentStatement>);
}

/** A cursor or stream, which pg drives itself. */
function isSubmittable(config: unknown): boolean {
  return typeof (config as { submit?: unknown } | null)?.submit === 'function';
}

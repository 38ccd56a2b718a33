import { DatabaseError, type PoolClient } from 'pg';
import { messageOf } from '../../errors.ts';
import { asLoneStatement } from '../pg-internals.ts';
import { cutUnreadable } from '../unreadable.ts';
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
  /** Called before each statement; if it throws, the statement is not sent. */
  readonly check?: ((text: string) => Promise<void>) | undefined;
  /** Called with every statement before it is sent. */
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Wraps the sending of each statement, for example to change settings around it. */
  readonly around?: Around | undefined;
  /** Records the statements, and what could make them differ for another tenant. */
  readonly recording?: Recording | undefined;
}

/** A connection as Knex sees it. It serializes concurrent statements, which pg deprecates. */
export class ObservedConnection implements Seen {
  readonly proxy: PoolClient;
  isRaw = false;
  readonly failures: FailedStatement[] = [];
  hasEnded = false;
  hasSent = false;
  readonly #client: PoolClient;
  readonly #options: ObserveOptions;
  readonly #inTransaction: boolean;
  #state: 'open' | 'failed' | 'over' = 'open';
  #refused: StatementRefusedError | undefined;
  /** Settles with the last submitted statement. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Settles with the statement or check in flight. */
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

  /** Allows statements only while `work` runs: afterwards the connection has another user. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      // Wait for what the migration started but did not await.
      for (let seen; seen !== this.#tail; await this.#tail) seen = this.#tail;
      this.#state = 'over';
    } catch (error) {
      this.#state = 'failed';
      await this.#inFlight;
      throw this.#refused ?? error;
    }
    if (this.#refused !== undefined) throw this.#refused;
  }

  /** Replaces pg's query, with or without a callback. */
  #query(config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown): unknown {
    if (isSubmittable(config)) {
      this.hasSent = true;
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
    // One of several concurrent statements failed, and so has the migration: send no more.
    if (this.#state === 'failed') return new Promise(() => {});
    if (isOfKnex) {
      // Knex begins once and never ends the transaction here by itself.
      this.hasEnded ||= endsFrame(text);
      return { command: text, rowCount: 0, rows: [], fields: [], oid: 0 };
    }
    if (refused !== undefined) throw (this.#refused ??= refused);
    const lone = values.length > 0 ? undefined : await cutUnreadable(text);
    if (lone === undefined) return this.#deliver(config, { text, values }, isRaw);
    const results: unknown[] = [];
    for (const statement of lone) {
      const query = asLoneStatement(statement.text, asConfig(config));
      results.push(await this.#deliver(query, { text: statement.text, values }, isRaw));
    }
    // As pg answers a text of several statements.
    return results.length === 1 ? results[0] : results;
  }

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
    this.hasSent = true;
    onStatement?.(statement);
    // `around` may leave the statement out.
    const send = () => {
      recording?.sent(statement);
      return this.#client.query(config as never) as Promise<unknown>;
    };
    try {
      const answer = around === undefined ? send() : around(statement.text, send);
      this.#inFlight = answer.catch(() => {});
      const result = await answer;
      return recording === undefined ? result : unread(result, recording, isRaw);
    } catch (error) {
      recording?.depends('a statement failed');
      // 25P02: an earlier statement aborted the transaction.
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

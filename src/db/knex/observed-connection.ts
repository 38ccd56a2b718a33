import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { finished, pipeline } from 'node:stream/promises';
import { Readable, type Transform } from 'node:stream';
import { DatabaseError, type PoolClient, type QueryConfig, type QueryResult } from 'pg';
import { messageOf, TenantctlError } from '../../errors.ts';
import { asLoneStatement, onAnswer } from '../pg-internals.ts';
import type { CutUnreadable } from '../unreadable.ts';
import { endsFrame, isFrame } from './insides.ts';
import type { ClientHost, StreamedQuery, StreamOptions } from './migration-client.ts';
import { inMigrationScope } from './migration-scope.ts';
import { readRows } from './read-rows.ts';
import type { Recording } from './recording.ts';
import { StatementsAhead, type NextStatement } from './statements-ahead.ts';
import {
  AWAIT_ALL,
  NotWaitedForError,
  StatementRefusedError,
  type Around,
  type FailedStatement,
  type Seen,
  type SentStatement,
} from './statement.ts';
import { unread } from './unread.ts';
import { UnsentStatements } from './unsent-statements.ts';

export interface ObserveOptions {
  /** The migration's name. */
  readonly migration: string;
  /** Called before each statement; if it throws, the statement is not sent. */
  readonly check?: ((text: string) => Promise<void>) | undefined;
  readonly cut?: CutUnreadable | undefined;
  /** Called with every statement before it is sent. */
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Whether this text of a schema builder may be sent before the answers of those before it; none if absent. */
  readonly mayGoAhead?: ((text: string) => boolean) | undefined;
  /** It sent nothing to an earlier tenant, although it was waited for. */
  readonly sendsNothing?: boolean | undefined;
  /** Wraps the sending of each statement, for example to change settings around it. */
  readonly around?: Around | undefined;
  /** Called before Knex streams; throws if it could not. */
  readonly assertStreams?: (() => void) | undefined;
  /** Records the statements, and what could make them differ for another tenant. */
  readonly recording?: Recording | undefined;
}

/** Milliseconds in which a migration that has sent nothing may still do so: it may have read a file first. */
const LAST_CHANCE_MS = 20;

const SENT_LATE = 'sent a statement after its function had ended';

/** A connection as Knex sees it. It serializes concurrent statements, which pg deprecates. */
export class ObservedConnection implements Seen, ClientHost {
  readonly connection: PoolClient;
  readonly unsent = new UnsentStatements();
  isRaw = false;
  readonly failures: FailedStatement[] = [];
  hasEnded = false;
  hasSent = false;
  readonly #client: PoolClient;
  readonly #options: ObserveOptions;
  readonly #inTransaction: boolean;
  /** 'over': the function has ended; 'done': its work is about to be committed. */
  #state: 'open' | 'failed' | 'over' | 'done' = 'open';
  #refused: StatementRefusedError | undefined;
  /** Settles with the last submitted statement. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Settles with the statement or check in flight. */
  #inFlight: Promise<unknown> = Promise.resolve();
  /** Settles with all that the migration is to wait for besides its statements. */
  #waited: Promise<unknown> = Promise.resolve();
  /** Not while recording: it must know which statement each answer belongs to. */
  readonly #ahead: StatementsAhead | undefined;
  readonly #streams = new Set<Readable>();
  /** The first error that no caller has been given. */
  #stray: { readonly error: unknown } | undefined;
  readonly #failed = Promise.withResolvers<never>();

  constructor(client: PoolClient, options: ObserveOptions, inTransaction: boolean) {
    this.#client = client;
    this.#options = options;
    this.#inTransaction = inTransaction;
    const { mayGoAhead, check = () => Promise.resolve(), recording } = options;
    const isOpen = () => this.#state === 'open';
    if (inTransaction && mayGoAhead !== undefined && recording === undefined)
      this.#ahead = new StatementsAhead(client, { mayGoAhead, check, isOpen });
    this.#failed.promise.catch(() => {});
    const query = this.#query.bind(this);
    this.connection = new Proxy(client, {
      get(target, property) {
        if (property === 'query') return query;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Runs `work` and waits for what it started and did not await. Afterwards statements are refused. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      const whole = async () => {
        await work();
        await this.#settled();
        if (this.hasSent || this.#options.sendsNothing === true) return;
        await sleep(LAST_CHANCE_MS);
        await this.#settled();
      };
      await inMigrationScope(
        (error) => this.#blame(error),
        () => Promise.race([whole(), this.#failed.promise]),
      );
      this.#assertNothingLeft();
      this.#state = 'over';
    } catch (error) {
      this.#state = 'failed';
      await this.#inFlight;
      await this.#ahead?.end();
      throw this.#refused ?? error;
    }
    if (this.#refused !== undefined) throw this.#refused;
  }

  finish(): void {
    this.#assertNothingLeft();
    this.#state = 'done';
  }

  expect(queries: readonly NextStatement[]): void {
    this.#ahead?.expect(queries);
  }

  waitFor(work: unknown): void {
    const settled = Promise.resolve(work).catch(() => {});
    this.#waited = Promise.all([this.#waited, settled]);
  }

  async stream(query: StreamedQuery, rows: Transform, options: StreamOptions): Promise<void> {
    this.#streams.add(rows);
    const cursor = { name: `stream_${this.#streams.size}`, isHeld: !this.#inTransaction };
    let failure: { readonly error: unknown } | undefined;
    const send = async (config: QueryConfig) => {
      try {
        this.#options.assertStreams?.();
        return (await this.#query(config)) as QueryResult<object>;
      } catch (error) {
        failure ??= { error };
        throw error;
      }
    };
    // Whoever stops reading closes the stream, which is no failure.
    await pipeline(Readable.from(readRows(send, query, options, cursor)), rows).catch(() => {});
    if (failure === undefined) return;
    // Knex drops it, and perhaps nobody listens to the stream.
    this.#stray ??= failure;
    throw failure.error;
  }

  /** @returns false if the migration is recorded already */
  #blame(error: unknown): boolean {
    if (this.#state === 'done') return false;
    this.#stray ??= { error };
    this.#failed.reject(error);
    return true;
  }

  #assertNothingLeft(): void {
    if (this.#stray !== undefined) throw this.#stray.error;
    const text = this.unsent.first();
    if (text !== undefined) throw new NotWaitedForError('built a statement that was never sent', text);
  }

  /** Waits until the migration starts nothing new by itself. */
  async #settled(): Promise<void> {
    for (let tail, waited; tail !== this.#tail || waited !== this.#waited;) {
      if (this.#streams.size > 0) await nextTurn();
      for (const stream of this.#streams) this.#endUnread(stream);
      [tail, waited] = [this.#tail, this.#waited];
      await tail;
      await waited;
      await nextTurn();
    }
  }

  /** Ends a stream that nobody has begun to read: it would never end. */
  #endUnread(stream: Readable): void {
    const isRead = stream.readableFlowing !== null || stream.listenerCount('readable') > 0;
    if (isRead || stream.destroyed) return;
    this.#stray ??= { error: new NotWaitedForError('made a stream that nobody reads') };
    stream.destroy();
  }

  /** Replaces pg's query, with or without a callback. */
  #query(config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown): unknown {
    if (isSubmittable(config)) return this.#submit(config);
    const callback = typeof valuesOrCallback === 'function' ? valuesOrCallback : maybeCallback;
    const full = Array.isArray(valuesOrCallback) ? { ...asConfig(config), values: valuesOrCallback } : config;
    const { isRaw } = this;
    const answered = this.#ahead?.asked(asConfig(full).text ?? '');
    const sent = this.#tail.then(() => this.#send(full, isRaw)).finally(answered);
    this.#tail = sent.catch(() => {});
    if (typeof callback !== 'function') return sent;
    sent.then((result) => callback(null, result), callback as (error: unknown) => void);
    return undefined;
  }

  #submit(config: object): unknown {
    if (this.#state !== 'open') throw new NotWaitedForError(SENT_LATE, 'a stream or cursor');
    this.hasSent = true;
    this.#options.recording?.depends('it reads a stream');
    if (config instanceof Readable) {
      this.#streams.add(config);
      this.waitFor(finished(config));
    }
    return this.#client.query(config as never);
  }

  async #send(config: unknown, isRaw: boolean): Promise<unknown> {
    const { text = '', values = [] } = asConfig(config);
    const isOfKnex = this.#inTransaction && isFrame(text);
    const isChecked = isOfKnex || this.#ahead?.isNext(text) === true;
    const refused = isChecked ? undefined : await this.#refusalOf(text);
    if (this.#state === 'over' || this.#state === 'done') {
      if (!this.#blame(new NotWaitedForError(SENT_LATE, text))) throw this.#recordedAlready();
    }
    // One of several concurrent statements failed, and so has the migration: send no more.
    if (this.#state !== 'open') return new Promise(() => {});
    if (isOfKnex) {
      // Knex begins once and never ends the transaction here by itself.
      this.hasEnded ||= endsFrame(text);
      return { command: text, rowCount: 0, rows: [], fields: [], oid: 0 };
    }
    if (refused !== undefined) throw (this.#refused ??= refused);
    const lone = values.length > 0 ? undefined : await this.#options.cut?.(text);
    if (lone === undefined) return this.#deliver(config, { text, values }, isRaw);
    const results: unknown[] = [];
    for (const statement of lone) {
      const query = asLoneStatement(statement.text, asConfig(config));
      results.push(await this.#deliver(query, { text: statement.text, values }, isRaw));
    }
    // As pg answers a text of several statements.
    return results.length === 1 ? results[0] : results;
  }

  #recordedAlready(): TenantctlError {
    const { migration } = this.#options;
    return new TenantctlError(
      'MIGRATION_FAILED',
      `${migration} came to this statement after it had been recorded in the history. The statement was not sent.`,
      { migration, hint: AWAIT_ALL },
    );
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
    const query = () => this.#client.query(config as never) as Promise<unknown>;
    const recorded = async (by: Recording) => {
      const sent = by.sent(statement);
      const stop = onAnswer(this.#client, (message) => sent.answer.take(message));
      const answer = await query().finally(stop);
      return by.dependence === undefined ? unread(answer, by, sent, isRaw) : answer;
    };
    // `around` may leave the statement out.
    const send = () => (recording === undefined ? query() : recorded(recording));
    const { text } = statement;
    const sendAround = () => (around === undefined ? send() : around(text, send));
    try {
      const answer = this.#ahead === undefined ? sendAround() : this.#ahead.send(text, sendAround);
      this.#inFlight = answer.catch(() => {});
      return await answer;
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
function isSubmittable(config: unknown): config is object {
  return typeof (config as { submit?: unknown } | null)?.submit === 'function';
}

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { finished, pipeline } from 'node:stream/promises';
import { Readable, type Transform } from 'node:stream';
import type { PoolClient, QueryConfig, QueryResult } from 'pg';
import { TenantctlError } from '../../errors.ts';
import { beginsNested, endsFrame, isFrame } from './insides.ts';
import type { StreamedQuery, StreamOptions } from './migration-client.ts';
import { inMigrationScope } from './migration-scope.ts';
import { readRows } from './read-rows.ts';
import type { Seat, Seated } from './seat.ts';
import { asConfig, Sender, type SendOptions } from './sender.ts';
import { AWAIT_ALL, NotWaitedForError, StatementRefusedError, type Seen } from './statement.ts';
import { StatementsAhead, type NextStatement } from './statements-ahead.ts';
import { UnsentStatements } from './unsent-statements.ts';

export interface ObserveOptions extends SendOptions {
  /** The migration's name. */
  readonly migration: string;
  /** Called before each statement; if it throws, the statement is not sent. */
  readonly check: (text: string) => Promise<void>;
  /** Whether this text of a schema builder may be sent before the answers of those before it. */
  readonly mayGoAhead: (text: string) => boolean;
  /** It sent nothing to an earlier tenant, although it was waited for. */
  readonly sendsNothing: boolean;
  /** Settles with what is in flight: see AheadOptions. */
  readonly behind: Promise<unknown> | undefined;
}

/** Milliseconds in which a migration that has sent nothing may still do so: it may have read a file first. */
const LAST_CHANCE_MS = 20;

const SENT_LATE = 'sent a statement after its function had ended';

/** A connection as Knex sees it. It serializes concurrent statements, which pg deprecates. */
export class ObservedConnection implements Seen, Seated {
  readonly connection: PoolClient;
  readonly unsent = new UnsentStatements();
  isRaw = false;
  hasEnded = false;
  /** It has begun a nested transaction. */
  hasNested = false;
  readonly #client: PoolClient;
  readonly #options: ObserveOptions;
  readonly #inTransaction: boolean;
  readonly #assertStreams: () => void;
  /** 'over': the function has ended; 'done': its work is about to be committed. */
  #state: 'open' | 'failed' | 'over' | 'done' = 'open';
  #refused: StatementRefusedError | undefined;
  /** Settles with the last submitted statement. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Settles with the check in flight. */
  #checked: Promise<unknown> = Promise.resolve();
  /** Settles with all that the migration is to wait for besides its statements. */
  #waited: Promise<unknown> = Promise.resolve();
  /** Not while recording: it must know which statement each answer belongs to. */
  readonly #ahead: StatementsAhead | undefined;
  readonly #sender: Sender;
  readonly #streams = new Set<Readable>();
  /** The first error that no caller has been given. */
  #stray: { readonly error: unknown } | undefined;
  /** Ends the migration with an error that nobody catches; only while it runs, or it would keep its Knex in memory. */
  #fail: ((error: unknown) => void) | undefined;

  /** @param assertStreams called before Knex streams; throws if it could not */
  constructor(
    client: PoolClient,
    seat: Seat,
    options: ObserveOptions,
    inTransaction: boolean,
    assertStreams: () => void,
  ) {
    this.#client = client;
    this.#options = options;
    this.#inTransaction = inTransaction;
    this.#assertStreams = assertStreams;
    const { mayGoAhead, check, recording, behind } = options;
    const isOpen = () => this.#state === 'open';
    if (inTransaction && recording === undefined)
      this.#ahead = new StatementsAhead(client, { mayGoAhead, check, isOpen, behind });
    this.#sender = new Sender(client, options, this.#ahead);
    this.connection = seat.connection;
    seat.take(this);
  }

  get failures(): Seen['failures'] {
    return this.#sender.failures;
  }

  get hasSent(): boolean {
    return this.#sender.hasSent;
  }

  /** Runs `work` and waits for what it started and did not await. Afterwards statements are refused. */
  async during(work: () => Promise<void>): Promise<void> {
    const failed = Promise.withResolvers<never>();
    this.#fail = failed.reject;
    try {
      const whole = async () => {
        await work();
        await this.#settled();
        if (this.hasSent || this.#options.sendsNothing) return;
        await sleep(LAST_CHANCE_MS);
        await this.#settled();
      };
      await inMigrationScope(this, () => Promise.race([whole(), failed.promise]));
      this.#assertNothingLeft();
      this.#state = 'over';
    } catch (error) {
      this.#state = 'failed';
      await this.#checked;
      await this.#sender.inFlight;
      await this.#ahead?.end();
      throw this.#refused ?? error;
    } finally {
      this.#fail = undefined;
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
        this.#assertStreams();
        return (await this.query(config)) as QueryResult<object>;
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

  blame(error: unknown): boolean {
    if (this.#state === 'done') return false;
    this.#stray ??= { error };
    this.#fail?.(error);
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

  query(config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown): unknown {
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
    this.#sender.hasSent = true;
    this.#options.recording?.depends('it reads a stream');
    if (config instanceof Readable) {
      this.#streams.add(config);
      this.waitFor(finished(config));
    }
    return this.#client.query(config as never);
  }

  async #send(config: unknown, isRaw: boolean): Promise<unknown> {
    const { text = '' } = asConfig(config);
    const isOfKnex = this.#inTransaction && isFrame(text);
    const isChecked = isOfKnex || this.#ahead?.isNext(text) === true;
    const refused = isChecked ? undefined : await this.#refusalOf(text);
    if (this.#state === 'over' || this.#state === 'done') {
      if (!this.blame(new NotWaitedForError(SENT_LATE, text))) throw this.#recordedAlready();
    }
    // One of several concurrent statements failed, and so has the migration: send no more.
    if (this.#state !== 'open') return new Promise(() => {});
    if (isOfKnex) {
      // Knex begins once and never ends the transaction here by itself.
      this.hasEnded ||= endsFrame(text);
      return { command: text, rowCount: 0, rows: [], fields: [], oid: 0 };
    }
    if (refused !== undefined) throw (this.#refused ??= refused);
    this.hasNested ||= beginsNested(text);
    return this.#sender.send(config, isRaw);
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
    const checked = this.#options.check(text).then(
      () => undefined,
      (reason: unknown) => new StatementRefusedError(reason),
    );
    this.#checked = checked;
    return checked;
  }
}

/** A cursor or stream, which pg drives itself. */
function isSubmittable(config: unknown): config is object {
  return typeof (config as { submit?: unknown } | null)?.submit === 'function';
}

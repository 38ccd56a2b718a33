import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import { DatabaseError, type PoolClient } from 'pg';
import type { createKnex as PackedKnex } from './packed-knex.ts';
import { changesRole } from '../role-control.ts';
import { endsTransaction } from '../transaction-control.ts';
import { unread, watched, type Recording } from './recording.ts';
import { messageOf } from '../../errors.ts';
import {
  type SentStatement,
  type FailedStatement,
  type Seen,
  TransactionEndedError,
  RoleChangedError,
  StatementRefusedError,
  type Around,
} from './statement.ts';

/** A Knex whose statements all go to one given connection, and what has been seen on the way. */
export interface KnexSession {
  readonly knex: Knex;
  readonly seen: Seen;
}

export interface SessionOptions {
  /** What the migration finds as knex.userParams. */
  readonly userParams: Readonly<Record<string, unknown>>;
  /** It acts as the role that has been set for it, and may not set another. */
  readonly keepsRole?: boolean | undefined;
  /** Asked before each statement; where it throws, the statement is not sent. */
  readonly check?: ((text: string) => Promise<void>) | undefined;
  /** Told of every statement before it is sent. */
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Sends each statement in its own way: sees to settings before and behind it, say. */
  readonly around?: Around | undefined;
  /** Takes down what the migration sends, and what would make it send something else to another tenant. */
  readonly recording?: Recording | undefined;
}

type RunSession = (
  client: PoolClient,
  options: SessionOptions,
  use: (session: KnexSession) => Promise<void>,
) => Promise<void>;

/** Knex without a pool of its own: it compiles and sends, the connection comes from outside. One for all tenants. */
export interface KnexFactory {
  /**
   * Hands `use` a Knex transaction on a connection whose transaction is already open. BEGIN and COMMIT remain with
   * the bracket that opened it; nested transactions become savepoints as always.
   * @throws what `use` throws; TransactionEndedError when the migration committed or rolled back by itself
   */
  readonly withinTransaction: RunSession;
  /** Hands `use` a Knex that sends each statement on its own, on a connection with no transaction open. */
  readonly outsideTransaction: RunSession;
}

/** Loads Knex and returns the factory. To be called when the migrations have been loaded. */
export async function createKnexFactory(): Promise<KnexFactory> {
  const createKnex = await loadKnex();
  const root = createKnex({ client: 'pg' });
  const autocommit = createKnex({ client: 'pg' });

  return {
    async withinTransaction(client, options, use) {
      const sending = { isRaw: false };
      const connection = observed(client, options, true, sending);
      const transaction = await root.transaction({ connection: connection.proxy });
      transaction.userParams = { ...options.userParams };
      const { recording } = options;
      // Told just before the statement goes to the connection.
      transaction.client.on('query', ({ method }: { method?: string }) => (sending.isRaw = method === 'raw'));
      const knex = recording === undefined ? transaction : watched(transaction, recording);
      try {
        await connection.during(() => use({ knex, seen: connection.seen }));
      } catch (error) {
        throw connection.ended() ? new TransactionEndedError(error) : error;
      }
      connection.assertNotRefused();
      if (connection.ended()) throw new TransactionEndedError();
      // pg reports a failed statement before it has heard what became of the transaction: so ask once more.
      if (connection.seen.failures.length > 0) await client.query('');
    },

    async outsideTransaction(client, options, use) {
      const connection = observed(client, options, false, { isRaw: false });
      // These two are all that Knex asks of a pool (knex/lib/client.js).
      autocommit.client.acquireConnection = () => Promise.resolve(connection.proxy);
      autocommit.client.releaseConnection = () => Promise.resolve();
      const knex = autocommit.withUserParams({ ...options.userParams });
      await connection.during(() => use({ knex, seen: connection.seen }));
      connection.assertNotRefused();
    },
  };
}

/**
 * The Knex that the project itself has loaded, where it has: a migration, or the application, may have extended its
 * builders. Else the one that is packed into a file, which is there ten times as fast.
 */
async function loadKnex(): Promise<typeof PackedKnex> {
  const { cache } = createRequire(import.meta.url);
  const isLoaded = Object.keys(cache).some((path) => /[\\/]node_modules[\\/]knex[\\/]/.test(path));
  return isLoaded ? (await import('knex')).default : (await import('./packed-knex.ts')).createKnex;
}

interface ObservedConnection {
  readonly proxy: PoolClient;
  readonly seen: Seen;
  /** The migration committed or rolled back, or tried to. */
  ended(): boolean;
  /** @throws RoleChangedError, StatementRefusedError where a statement was refused, whatever the migration made of that */
  assertNotRefused(): void;
  /** Lets statements pass while `work` runs. None passes afterwards: the connection belongs to somebody else then. */
  during(work: () => Promise<void>): Promise<void>;
}

/**
 * The connection as Knex sees it. Statements are sent one after the other: migrations that run several at once
 * (Promise.all on one transaction) are legal in Knex, and deprecated in pg.
 */
function observed(
  client: PoolClient,
  options: SessionOptions,
  withinTransaction: boolean,
  sending: { readonly isRaw: boolean },
): ObservedConnection {
  const failures: FailedStatement[] = [];
  let state: 'open' | 'failed' | 'over' = 'open';
  let ended = false;
  let refused: RoleChangedError | StatementRefusedError | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let inFlight: Promise<unknown> = Promise.resolve();

  const checked = async (text: string): Promise<StatementRefusedError | undefined> => {
    const check = options.check?.(text).catch((reason: unknown) => new StatementRefusedError(reason));
    inFlight = check ?? inFlight;
    return (await check) ?? undefined;
  };

  const send = async (config: unknown, isRaw: boolean): Promise<unknown> => {
    const statement = statementOf(config);
    const ends = withinTransaction && !isFrame(statement.text) && (await endsTransaction(statement.text));
    const changes = options.keepsRole === true && (await changesRole(statement.text));
    const isSent = state === 'open' && !ends && !changes && !(withinTransaction && isFrame(statement.text));
    const refusal = isSent ? await checked(statement.text) : undefined;
    if (state === 'over') throw new Error(`The migration is over, and sent: ${statement.text}`);
    // Of statements that were sent all at once one has failed, and so the migration: the others are not sent.
    if (state === 'failed') return new Promise(() => {});
    if (withinTransaction && isFrame(statement.text)) {
      // Knex begins once, and never ends here of its own accord.
      ended ||= statement.text !== 'BEGIN;';
      return { command: statement.text, rowCount: 0, rows: [], fields: [], oid: 0 };
    }
    if (ends) {
      ended = true;
      throw new TransactionEndedError();
    }
    if (changes) throw (refused ??= new RoleChangedError(statement.text));
    if (refusal !== undefined) throw (refused ??= refusal);
    options.onStatement?.(statement);
    options.recording?.sent(statement);
    try {
      const sendIt = () => client.query(config as never) as Promise<unknown>;
      const answer = options.around === undefined ? sendIt() : options.around(statement.text, sendIt);
      inFlight = answer.catch(() => {});
      const result = await answer;
      return options.recording === undefined ? result : unread(result, options.recording, isRaw);
    } catch (error) {
      options.recording?.depends('a statement failed');
      if (!isConsequence(error)) failures.push({ ...statement, error, message: messageOf(error) });
      throw error;
    }
  };

  const during = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      // What the migration started and did not wait for.
      for (let seen; seen !== tail; await tail) seen = tail;
      state = 'over';
    } catch (error) {
      state = 'failed';
      await inFlight;
      throw error;
    }
  };

  const query = (config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown) => {
    if (isSubmittable(config)) {
      options.recording?.depends('it reads a stream');
      return client.query(config as never);
    }
    const callback = typeof valuesOrCallback === 'function' ? valuesOrCallback : maybeCallback;
    const full = Array.isArray(valuesOrCallback) ? { ...asConfig(config), values: valuesOrCallback } : config;
    const { isRaw } = sending;
    const sent = tail.then(() => send(full, isRaw));
    tail = sent.catch(() => {});
    if (typeof callback !== 'function') return sent;
    sent.then(
      (result) => callback(null, result),
      (error: unknown) => callback(error),
    );
    return undefined;
  };

  const proxy = new Proxy(client, {
    get(target, property) {
      if (property === 'query') return query;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const assertNotRefused = () => {
    if (refused !== undefined) throw refused;
  };
  return { proxy, seen: { failures }, ended: () => ended, assertNotRefused, during };
}

function isConsequence(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '25P02';
}

/** Knex frames its transactions with exactly these texts (knex/lib/execution/transaction.js). */
function isFrame(text: string): boolean {
  return text === 'BEGIN;' || text === 'COMMIT;' || text === 'ROLLBACK';
}

function asConfig(config: unknown): { text?: string; values?: readonly unknown[] } {
  return typeof config === 'string' ? { text: config } : (config as { text?: string });
}

function statementOf(config: unknown): SentStatement {
  const { text, values } = asConfig(config);
  return { text: text ?? '', values: values ?? [] };
}

/** A cursor or stream, which pg drives itself. */
function isSubmittable(config: unknown): boolean {
  return typeof (config as { submit?: unknown } | null)?.submit === 'function';
}

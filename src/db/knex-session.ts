import type { Knex } from 'knex';
import type { PoolClient } from 'pg';

/** A statement as it is sent to the server. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The statement that failed first, with the server's own message: Knex puts the statement and its values before it. */
export interface FailedStatement extends SentStatement {
  readonly error: unknown;
  readonly message: string;
}

/** A Knex whose statements all go to one given connection, and what has been seen on the way. */
export interface KnexSession {
  readonly knex: Knex;
  readonly seen: { failed?: FailedStatement };
}

export interface SessionOptions {
  /** What the migration finds as knex.userParams. */
  readonly userParams: Readonly<Record<string, unknown>>;
  /** Told of every statement before it is sent. */
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
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
   * @throws what `use` throws; an Error when the migration committed or rolled back by itself
   */
  readonly withinTransaction: RunSession;
  /** Hands `use` a Knex that sends each statement on its own, on a connection with no transaction open. */
  readonly outsideTransaction: RunSession;
}

/** Loads Knex, which takes a tenth of a second, and returns the factory. */
export async function createKnexFactory(): Promise<KnexFactory> {
  const { default: createKnex } = await import('knex');
  const root = createKnex({ client: 'pg' });
  const autocommit = createKnex({ client: 'pg' });

  return {
    async withinTransaction(client, options, use) {
      const { connection, seen } = observed(client, options, true);
      const transaction = await root.transaction({ connection });
      transaction.userParams = { ...options.userParams };
      try {
        await use({ knex: transaction, seen });
      } catch (error) {
        throw transaction.isCompleted() && seen.failed === undefined ? endedByMigration(error) : error;
      }
      if (transaction.isCompleted()) throw endedByMigration();
    },

    async outsideTransaction(client, options, use) {
      const { connection, seen } = observed(client, options, false);
      // These two are all that Knex asks of a pool (knex/lib/client.js).
      autocommit.client.acquireConnection = () => Promise.resolve(connection);
      autocommit.client.releaseConnection = () => Promise.resolve();
      await use({ knex: autocommit.withUserParams({ ...options.userParams }), seen });
    },
  };
}

function endedByMigration(cause?: unknown): Error {
  return new Error(
    'The migration ended its transaction itself. The transaction belongs to tenantctl, which commits it together with the history.',
    cause === undefined ? undefined : { cause },
  );
}

/**
 * The connection as Knex sees it. Statements are sent one after the other: migrations that run several at once
 * (Promise.all on one transaction) are legal in Knex, and deprecated in pg.
 */
function observed(client: PoolClient, options: SessionOptions, withinTransaction: boolean) {
  const seen: KnexSession['seen'] = {};
  let tail: Promise<unknown> = Promise.resolve();

  const send = (config: unknown): Promise<unknown> => {
    const statement = statementOf(config);
    if (withinTransaction && isTransactionControl(statement.text)) {
      return Promise.resolve({ command: statement.text, rowCount: 0, rows: [], fields: [], oid: 0 });
    }
    options.onStatement?.(statement);
    return (client.query(config as never) as Promise<unknown>).catch((error: unknown) => {
      seen.failed ??= {
        ...statement,
        error,
        message: error instanceof Error ? error.message : String(error),
      };
      throw error;
    });
  };

  const query = (config: unknown, valuesOrCallback?: unknown, maybeCallback?: unknown) => {
    if (isSubmittable(config)) return client.query(config as never);
    const callback = typeof valuesOrCallback === 'function' ? valuesOrCallback : maybeCallback;
    const full = Array.isArray(valuesOrCallback) ? { ...asConfig(config), values: valuesOrCallback } : config;
    const sent = tail.then(() => send(full));
    tail = sent.catch(() => {});
    if (typeof callback !== 'function') return sent;
    sent.then(
      (result) => callback(null, result),
      (error: unknown) => callback(error),
    );
    return undefined;
  };

  const connection = new Proxy(client, {
    get(target, property) {
      if (property === 'query') return query;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { connection, seen };
}

/** Knex frames its transactions with exactly these texts (knex/lib/execution/transaction.js). */
function isTransactionControl(text: string): boolean {
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

import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import { loadKnex, onQuery, useConnection } from './insides.ts';
import { ObservedConnection, type ObserveOptions } from './observed-connection.ts';
import { watched } from './recording.ts';
import { TransactionEndedError, type Seen } from './statement.ts';

/** A Knex whose statements all use one given connection, and what was observed. */
export interface KnexSession {
  readonly knex: Knex;
  readonly seen: Seen;
}

export interface SessionOptions extends ObserveOptions {
  /** The migration's knex.userParams. */
  readonly userParams: Readonly<Record<string, unknown>>;
}

type RunSession = (
  client: PoolClient,
  options: SessionOptions,
  use: (session: KnexSession) => Promise<void>,
) => Promise<void>;

/** A Knex for all tenants, without a pool: the connection is passed in. */
export interface KnexFactory {
  /**
   * Gives `use` a Knex transaction on a connection with an open transaction. The opener sends BEGIN and
   * COMMIT; nested transactions become savepoints as usual.
   * @throws what `use` throws; TransactionEndedError if the migration committed or rolled back by itself
   */
  readonly withinTransaction: RunSession;
  /** Gives `use` a Knex that sends each statement on its own, on a connection without a transaction. */
  readonly outsideTransaction: RunSession;
}

/** Loads Knex. Call it after the migrations have been loaded: see loadKnex. @param path a migration's */
export async function createKnexFactory(path: string): Promise<KnexFactory> {
  const createKnex = await loadKnex(path);
  // Costs about 10 µs for each query, and an error of the server names the migration's line.
  const config = { client: 'pg', asyncStackTraces: true };
  const root = createKnex(config);
  const autocommit = createKnex(config);
  return {
    async withinTransaction(client, options, use) {
      const connection = new ObservedConnection(client, options, true);
      const transaction = await root.transaction({ connection: connection.proxy });
      transaction.userParams = { ...options.userParams };
      onQuery(transaction, (isRaw) => (connection.isRaw = isRaw));
      const { recording } = options;
      const knex = recording === undefined ? transaction : watched(transaction, recording);
      try {
        await connection.during(() => use({ knex, seen: connection }));
      } catch (error) {
        throw connection.hasEnded ? new TransactionEndedError(error) : error;
      }
      if (connection.hasEnded) throw new TransactionEndedError();
      // pg reports a failed statement before the transaction status arrives: ask once more.
      if (connection.failures.length > 0) await client.query('');
    },

    async outsideTransaction(client, options, use) {
      const connection = new ObservedConnection(client, options, false);
      useConnection(autocommit, connection.proxy);
      const knex = autocommit.withUserParams({ ...options.userParams });
      await connection.during(() => use({ knex, seen: connection }));
    },
  };
}

import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import { loadKnex, onQuery, useConnection } from './insides.ts';
import { ObservedConnection, type ObserveOptions } from './observed-connection.ts';
import { watched } from './recording.ts';
import { TransactionEndedError, type Seen } from './statement.ts';

/** A Knex whose statements all go to one given connection, and what has been seen of them. */
export interface KnexSession {
  readonly knex: Knex;
  readonly seen: Seen;
}

export interface SessionOptions extends ObserveOptions {
  /** What the migration finds as knex.userParams. */
  readonly userParams: Readonly<Record<string, unknown>>;
}

type RunSession = (
  client: PoolClient,
  options: SessionOptions,
  use: (session: KnexSession) => Promise<void>,
) => Promise<void>;

/** Knex without a pool of its own: it compiles and sends, the connection comes from outside. One for all tenants. */
export interface KnexFactory {
  /**
   * Hands `use` a Knex transaction on a connection whose transaction is already open. BEGIN and COMMIT remain with who
   * opened it; nested transactions become savepoints as always.
   * @throws what `use` throws; TransactionEndedError when the migration committed or rolled back by itself
   */
  readonly withinTransaction: RunSession;
  /** Hands `use` a Knex that sends each statement on its own, on a connection with no transaction open. */
  readonly outsideTransaction: RunSession;
}

/** Loads Knex and returns the factory. Call it when the migrations have been loaded: see loadKnex. */
export async function createKnexFactory(): Promise<KnexFactory> {
  const createKnex = await loadKnex();
  const root = createKnex({ client: 'pg' });
  const autocommit = createKnex({ client: 'pg' });
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
      // pg reports a failed statement before it has heard what became of the transaction: so ask once more.
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

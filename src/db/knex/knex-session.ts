// By default: an application's bundle often has a createRequire of its own at the top.
import module from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import { connectionSettings } from './connection-settings.ts';
import { knowsStatus } from '../pg-internals.ts';
import { beginTransaction, dialectOf, loadKnex, onBatchInsert, onQuery } from './insides.ts';
import { Hosts, migrationClient, type DialectClient } from './migration-client.ts';
import { ObservedConnection, type ObserveOptions } from './observed-connection.ts';
import type { Recording } from './recording.ts';
import { Seat } from './seat.ts';
import { TransactionEndedError, type Seen } from './statement.ts';
import { watched } from './watched.ts';

/** A Knex whose statements all use one given connection, and what was observed. */
export interface KnexSession {
  readonly knex: Knex;
  readonly seen: Seen;
}

export interface SessionOptions extends ObserveOptions {
  /** The migration's knex.userParams. */
  readonly userParams: Readonly<Record<string, unknown>>;
  /** More of the migration's knex.client.config. */
  readonly config: Readonly<Pick<Knex.Config, 'searchPath' | 'migrations'>>;
  /** What earlier migrations of the same transaction were given. */
  readonly shared?: SharedKnex | undefined;
}

/** The Knex of a transaction. As with plain Knex, its migrations share one: to make one takes 0.1 ms. */
export interface SharedKnex {
  made?: TransactionKnex | undefined;
}

interface TransactionKnex {
  readonly client: DialectClient;
  readonly seat: Seat;
  readonly transaction: Knex.Transaction;
}

type RunSession = (
  client: PoolClient,
  options: SessionOptions,
  use: (session: KnexSession) => Promise<void>,
) => Promise<void>;

/** Makes a Knex without a pool for each tenant: the connection is passed in. */
export interface KnexFactory {
  /**
   * Gives `use` a Knex transaction on a connection with an open transaction. The opener sends BEGIN and
   * COMMIT; nested transactions become savepoints as usual.
   * @throws what `use` throws; TransactionEndedError if the migration committed or rolled back by itself;
   *   NotWaitedForError
   */
  readonly withinTransaction: RunSession;
  /** Gives `use` a Knex that sends each statement on its own, on a connection without a transaction. */
  readonly outsideTransaction: RunSession;
}

/** Loads Knex. Call it after the migrations have been loaded: see loadKnex. @param path a migration's */
export async function createKnexFactory(path: string): Promise<KnexFactory> {
  const createKnex = await loadKnex(path);
  const Dialect = dialectOf(createKnex);
  const hosts = new Hosts();
  const Client = migrationClient(Dialect, hosts);
  const assertStreams = () => assertInstalled(path);
  // asyncStackTraces costs about 10 µs for each query, and an error of the server names the migration's line.
  const configOf = ({ config }: SessionOptions) => ({ ...config, client: Client, asyncStackTraces: true });
  const connect = (client: DialectClient, seat: Seat) => {
    hosts.set(client.config, seat);
    const settings = connectionSettings(seat.connection);
    // Not in the configuration from the start: Knex would make a pool.
    Object.assign(client.config, { client: 'pg', connection: settings });
    client.connectionSettings = settings;
  };
  const begin = async (seat: Seat, options: SessionOptions): Promise<TransactionKnex> => {
    const client = new Client(configOf(options));
    connect(client, seat);
    const transaction = await beginTransaction(client, { ...options.userParams });
    onBatchInsert(transaction, () => seat.user.waitFor(sleep(BATCH_INSERT_STARTS_MS)));
    return { client, seat, transaction };
  };
  return {
    async withinTransaction(pooled, options, use) {
      const { recording, shared } = options;
      const earlier = recording === undefined ? shared?.made : undefined;
      const seat = earlier?.seat ?? new Seat(pooled);
      const connection = new ObservedConnection(pooled, seat, options, true, assertStreams);
      const made = earlier ?? (await begin(seat, options));
      const { client, transaction } = made;
      Object.assign(client.config, options.config);
      if (recording !== undefined) {
        onQuery(transaction, (isRaw) => (connection.isRaw = isRaw));
        noteConfig(client, options.config, recording);
      }
      const knex = recording === undefined ? transaction : watched(transaction, recording);
      try {
        await connection.during(() => use({ knex, seen: connection }));
      } catch (error) {
        throw connection.hasEnded ? new TransactionEndedError(error) : error;
      }
      if (connection.hasEnded) throw new TransactionEndedError();
      // The next nested transaction would wait for the end of one that was left open.
      if (shared !== undefined && recording === undefined)
        shared.made = connection.hasNested ? undefined : made;
      await options.behind;
      // pg reports a failed statement before the transaction status arrives: ask once more.
      if (!knowsStatus(pooled)) await pooled.query('');
    },

    async outsideTransaction(pooled, options, use) {
      const seat = new Seat(pooled);
      const connection = new ObservedConnection(pooled, seat, options, false, assertStreams);
      const knex = createKnex(configOf(options) as never);
      connect(knex.client as DialectClient, seat);
      knex.userParams = { ...options.userParams };
      onBatchInsert(knex, () => connection.waitFor(sleep(BATCH_INSERT_STARTS_MS)));
      await connection.during(() => use({ knex, seen: connection }));
    },
  };
}

/** Every builder, table and function of Knex leads to the client's configuration, which has the tenant's names. */
function noteConfig({ config }: DialectClient, own: SessionOptions['config'], recording: Recording): void {
  for (const [name, value] of Object.entries(own))
    Object.defineProperty(config, name, {
      enumerable: true,
      get() {
        recording.depends('it uses knex.client');
        return value as unknown;
      },
    });
}

/** Milliseconds after which batchInsert has sent its first statement. */
const BATCH_INSERT_STARTS_MS = 5;

/** A migration that streams needs this package with Knex, which may have to go on with the history. */
function assertInstalled(path: string): void {
  try {
    module.createRequire(path).resolve('pg-query-stream');
  } catch (cause) {
    const message = 'stream() needs the package pg-query-stream in the project: npm install pg-query-stream';
    throw new Error(message, { cause });
  }
}

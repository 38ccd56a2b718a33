import { DatabaseError, type PoolClient, type QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { setOnNodes } from './citus.ts';
import { connectionLost, toDatabaseError } from './database-error.ts';
import { identifier, literal, readable } from './sql.ts';
import { type Database, APPLICATION_NAME } from './database.ts';
import type { Purpose } from './connection-queue.ts';

export interface TransactionSettings {
  /** Schemas to search for unqualified names; the server's default if absent. */
  readonly searchPath?: readonly string[];
  /** Milliseconds that a statement may wait for a lock; 0 for no limit. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds that a statement may take; 0 for no limit, the server's default if absent. */
  readonly statementTimeoutMs?: number | undefined;
  /** How many tenants' tables the transaction opens; default 1. */
  readonly tenants?: number;
  /** Of its connection; default `work`. */
  readonly purpose?: Purpose;
  /**
   * Makes it a transaction with one snapshot, READ ONLY by default, which is taken after these statements: they run before it, in a
   * transaction of their own, and `opening` has their results. What they leave in the session (such as an advisory lock)
   * is removed by `commitWith` and `abandon`.
   */
  readonly snapshotAfter?: readonly string[];
  /** With `snapshotAfter`: the transaction may write. It fails with 40001 if it writes what others have changed since. */
  readonly isWritten?: boolean;
}

/** The body of a block or routine of plpgsql that removes statements made by PREPARE. */
export const DEALLOCATE_BODY = `DECLARE statement text; BEGIN
     FOR statement IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP
       EXECUTE pg_catalog.format('DEALLOCATE %I', statement);
     END LOOP;
   END`;
export const DEALLOCATE = `DO $$ ${DEALLOCATE_BODY} $$`;

/**
 * Resets a session like DISCARD ALL, which cannot be part of a multi-statement string
 * (https://www.postgresql.org/docs/current/sql-discard.html). It deallocates only statements made by PREPARE:
 * those of the protocol belong to the driver or a pooler, which would go on to use them.
 *
 * A pooler gives the session to another client after the string that ends the transaction. So this must be
 * part of that string, and nothing may fail at COMMIT.
 */
export const CLEAN_SESSION = [
  'RESET SESSION AUTHORIZATION',
  'RESET ALL',
  'CLOSE ALL',
  'UNLISTEN *',
  DEALLOCATE,
  'DISCARD SEQUENCES',
  'DISCARD TEMP',
  'SELECT pg_advisory_unlock_all()',
] as const;

/** Reads under a lock must see the current state, whatever default_transaction_isolation is. */
export const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

const BEGIN_SNAPSHOT = 'BEGIN ISOLATION LEVEL REPEATABLE READ';

/** Deferred constraints must fail before COMMIT, after which a pooler hands over an uncleaned session. */
export const CHECK_CONSTRAINTS = 'SET CONSTRAINTS ALL IMMEDIATE';

/**
 * Prevents writes by what still runs at the COMMIT: a trigger that has deferred itself again. A transaction
 * cannot revoke it (https://www.postgresql.org/docs/current/sql-set-transaction.html).
 */
export const READ_ONLY = 'SET TRANSACTION READ ONLY';

/** A session's advisory locks survive a rollback. */
export const ROLL_BACK = ['ROLLBACK', ...CLEAN_SESSION].join(';\n');

/** A transaction that commits when the function returns and rolls back when it throws. */
export interface OpenTransaction {
  readonly client: PoolClient;
  readonly opening: readonly QueryResult[];
  /** Sends statements, COMMIT and the session's reset in one round trip. Nothing may follow. */
  commitWith(statements: readonly string[]): Promise<void>;
  /** Rolls back at the end even if the function returns. */
  abandon(): void;
}

export interface Use {
  /** Defaults to `work`. */
  readonly purpose?: Purpose | undefined;
  /** How many tenants' tables it opens, default 1; a function is called at the end. */
  readonly tenants?: number | (() => number) | undefined;
}

/**
 * Runs `use` with a pooled connection, which is then closed if it broke, or if `use` called `spoil` because
 * the session is not clean.
 * @throws TenantctlError as Connections.connect does; DATABASE_ERROR without an SQLSTATE if the connection
 *   was lost, whatever `use` threw; DATABASE_CLOSED; else what `use` throws
 */
export async function withClient<T>(
  database: Pick<Database, 'connect' | 'giveBack' | 'assertOpen'>,
  use: (client: PoolClient, spoil: () => void) => Promise<T>,
  { purpose = 'work', tenants = 1 }: Use = {},
): Promise<T> {
  const client = await database.connect(purpose);
  let isBroken = false;
  let loss: TenantctlError | undefined;
  const { promise: lost, reject } = Promise.withResolvers<never>();
  const onError = (error: Error) => {
    isBroken = true;
    loss ??= connectionLost(error);
    reject(loss);
  };
  client.on('error', onError);
  const spoil = () => void (isBroken = true);
  try {
    // `use` may be waiting for something other than the server.
    return await Promise.race([use(client, spoil), lost]);
  } catch (error) {
    database.assertOpen(error);
    const isTold =
      error instanceof DatabaseError || (error instanceof TenantctlError && error.code !== 'INTERNAL');
    throw isTold ? error : (loss ?? error);
  } finally {
    client.off('error', onError);
    const opened = typeof tenants === 'number' ? tenants : tenants();
    database.giveBack(client, isBroken || client.getTransactionStatus() !== 'I', opened);
  }
}

/** Runs `use` in a transaction. BEGIN, the settings and the opening statements go out in one round trip. */
export async function withTransaction<T>(
  database: Database,
  settings: TransactionSettings,
  openingStatements: readonly string[],
  use: (transaction: OpenTransaction) => Promise<T>,
): Promise<T> {
  return withClient(
    database,
    async (client, spoil) => {
      let finished = false;
      let abandoned = false;
      try {
        const { snapshotAfter: first, isWritten = false } = settings;
        const snapshot = isWritten ? BEGIN_SNAPSHOT : `${BEGIN_SNAPSHOT} READ ONLY`;
        const prelude = first === undefined ? [BEGIN] : [BEGIN, ...first, 'COMMIT', snapshot];
        prelude.push(selectWithSettings(database, settings, 'true'), ...limitNodes(database, settings));
        const sent = await client.query([...prelude, ...openingStatements].join(';\n'));
        // pg answers a string of several statements with an array.
        const results = sent as unknown as QueryResult[];
        const value = await use({
          client,
          opening: [...results.slice(1, 1 + (first?.length ?? 0)), ...results.slice(prelude.length)],
          async commitWith(statements) {
            await client.query([...statements, CHECK_CONSTRAINTS, 'COMMIT', ...CLEAN_SESSION].join(';\n'));
            finished = true;
          },
          abandon() {
            abandoned = true;
          },
        });
        if (!finished) await client.query(abandoned ? ROLL_BACK : 'COMMIT');
        return value;
      } catch (error) {
        // If this fails, the connection is closed, and the server rolls back.
        await client.query(ROLL_BACK).catch(spoil);
        throw toDatabaseError(error).concealing(database.conceal);
      }
    },
    { tenants: settings.tenants, purpose: settings.purpose },
  );
}

/** A SELECT that applies the settings to the transaction, then evaluates `expression`. */
export function selectWithSettings(
  database: SettingsDatabase,
  settings: TransactionSettings,
  expression: string,
): string {
  const calls = settingsOf(database, settings).map(
    ([name, value]) => `set_config(${literal(name)}, ${literal(String(value))}, true)`,
  );
  return `SELECT ${[...calls, expression].join(', ')}`;
}

/**
 * Settings that tenantctl's SQL, the SQL parser and the driver's type parsers rely on. 'ISO' leaves the order of
 * day and month in dates that migrations write as it is.
 */
const FIXED_SETTINGS = {
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
} as const;

/** For a session or a transaction: they override those of the role and the database. */
export function ownSettings(
  { deadClientSettings }: Pick<Database, 'deadClientSettings'>,
  { lockTimeoutMs, statementTimeoutMs }: Pick<TransactionSettings, 'lockTimeoutMs' | 'statementTimeoutMs'>,
): Record<string, number | string> {
  return {
    ...FIXED_SETTINGS,
    ...deadClientSettings,
    ...(lockTimeoutMs !== undefined && { lock_timeout: lockTimeoutMs }),
    ...(statementTimeoutMs !== undefined && { statement_timeout: statementTimeoutMs }),
  };
}

/** Statements after which the lock timeout holds on the nodes of a cluster, too. */
export function limitNodes(
  { hasNodes }: Pick<Database, 'hasNodes'>,
  { lockTimeoutMs }: Pick<TransactionSettings, 'lockTimeoutMs'>,
): string[] {
  return hasNodes && lockTimeoutMs !== undefined ? [setOnNodes('lock_timeout', lockTimeoutMs)] : [];
}

type SettingsDatabase = Pick<Database, 'deadClientSettings' | 'behindPooler'>;

function settingsOf(
  database: SettingsDatabase,
  { searchPath, ...timeouts }: TransactionSettings,
): (readonly [string, string | number])[] {
  return Object.entries({
    ...ownSettings(database, timeouts),
    // RESET ALL restores an empty name, which PgBouncer takes for the client's own.
    ...(database.behindPooler && { application_name: APPLICATION_NAME }),
    // As SET would store it: migrations may read it.
    ...(searchPath !== undefined && { search_path: searchPath.map(readable).join(', ') }),
  });
}

export function setSearchPath(schemas: readonly string[]): string {
  return `SET LOCAL search_path TO ${schemas.map(identifier).join(', ')}`;
}

import { DatabaseError, type PoolClient, type QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { connectionLost, toDatabaseError } from './database-error.ts';
import { identifier, literal } from './sql.ts';
import { type Database, APPLICATION_NAME } from './database.ts';
import type { Purpose } from './places.ts';

export interface TransactionSettings {
  /** Schemas in which unqualified names are looked up, first to last; the server's own default where absent. */
  readonly searchPath?: readonly string[];
  /** Milliseconds that a statement may wait for a lock; 0 for ever. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds that a statement may take; 0 for ever, the server's own default where absent. */
  readonly statementTimeoutMs?: number | undefined;
  /** How many tenants' tables the transaction opens; 1 where absent. */
  readonly tenants?: number;
}

/**
 * Leaves a session as it was found. As DISCARD ALL, which cannot be part of a string of statements
 * (https://www.postgresql.org/docs/current/sql-discard.html). Of prepared statements only those of PREPARE go: those of
 * the protocol are the driver's, or a pooler's, which would go on to use them.
 *
 * A pooler gives the session to the next client when the string is over in which the transaction ended. So this must be
 * part of that string, and nothing may be left to fail at the COMMIT.
 */
export const CLEAN_SESSION = [
  'RESET SESSION AUTHORIZATION',
  'RESET ALL',
  'CLOSE ALL',
  'UNLISTEN *',
  `DO $$ DECLARE statement text; BEGIN
     FOR statement IN SELECT p.name FROM pg_prepared_statements p WHERE p.from_sql LOOP
       EXECUTE format('DEALLOCATE %I', statement);
     END LOOP;
   END $$`,
  'DISCARD SEQUENCES',
  'DISCARD TEMP',
  'SELECT pg_advisory_unlock_all()',
] as const;

/**
 * Whatever default_transaction_isolation says: what is read under a lock must be what stands there now, and not what
 * stood there when the transaction took its first look.
 */
export const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/**
 * Brings forward what would fail at the COMMIT only, and leave the session to somebody else before it is clean: behind a
 * pooler it is gone with the transaction.
 */
export const CHECK_CONSTRAINTS = 'SET CONSTRAINTS ALL IMMEDIATE';

/** A session's advisory locks survive a rollback. */
export const ROLL_BACK = ['ROLLBACK', ...CLEAN_SESSION].join(';\n');

/** A transaction that has been begun. It is committed when the bracket's function returns, rolled back when it throws. */
export interface OpenTransaction {
  readonly client: PoolClient;
  /** The results of the opening statements, in their order. */
  readonly opening: readonly QueryResult[];
  /**
   * Sends statements and COMMIT as one string, one round trip. Nothing may follow. The session is left as it was
   * found, whatever the transaction set, created or locked in it: the connection's next user is another tenant.
   */
  commitWith(statements: readonly string[]): Promise<void>;
  /** Rolls back at the end although the function returns: for a rehearsal, or work that turned out not to be due. */
  abandon(): void;
}

/** What withClient needs to know of the use. */
export interface Use {
  /** What the connection is taken for; `work` where absent. */
  readonly purpose?: Purpose | undefined;
  /** How many tenants' tables it opens, 1 where absent; a function is asked at the end. */
  readonly tenants?: number | (() => number) | undefined;
}

/**
 * A connection of the pool for the time of `use`. One that broke is not given back, and neither is one of which `use`
 * says, by `spoil`, that something of it is left there.
 * @throws TenantctlError as Connections.connect does; DATABASE_ERROR without an SQLSTATE where the connection was lost,
 *   whatever `use` made of that; DATABASE_CLOSED; else what `use` throws
 */
export async function withClient<T>(
  database: Pick<Database, 'connect' | 'giveBack' | 'assertOpen'>,
  use: (client: PoolClient, spoil: () => void) => Promise<T>,
  { purpose = 'work', tenants = 1 }: Use = {},
): Promise<T> {
  const client = await database.connect(purpose);
  let broken: Error | undefined;
  let loss: TenantctlError | undefined;
  const { promise: lost, reject } = Promise.withResolvers<never>();
  const onError = (error: Error) => {
    broken = error;
    loss ??= connectionLost(error);
    reject(loss);
  };
  client.on('error', onError);
  const spoil = () => {
    broken ??= new Error('the session could not be cleaned');
  };
  try {
    // What waits for something else than the server would never hear that the connection is gone.
    return await Promise.race([use(client, spoil), lost]);
  } catch (error) {
    database.assertOpen(error);
    const isTold =
      error instanceof DatabaseError || (error instanceof TenantctlError && error.code !== 'INTERNAL');
    throw isTold ? error : (loss ?? error);
  } finally {
    client.off('error', onError);
    const opened = typeof tenants === 'number' ? tenants : tenants();
    database.giveBack(client, broken ?? client.getTransactionStatus() !== 'I', opened);
  }
}

/**
 * The transaction bracket: BEGIN, the settings and the opening statements go to the server as one string; then
 * `use` runs; then COMMIT, or ROLLBACK when it threw.
 *
 * Every transaction sets locally what makes the server notice a dead client (src/db/dead-client.ts).
 */
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
        const prelude = [BEGIN, ...localSettings(database, settings)];
        const results = asArray(await client.query([...prelude, ...openingStatements].join(';\n')));
        const value = await use({
          client,
          opening: results.slice(prelude.length),
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
        // A rollback that fails, or the cleaning behind it: the connection is closed, and the server rolls back.
        await client.query(ROLL_BACK).catch(spoil);
        throw toDatabaseError(error).concealing(database.conceal);
      }
    },
    { tenants: settings.tenants },
  );
}

function localSettings(database: Database, settings: TransactionSettings): string[] {
  return settingsOf(database, settings).map(
    ([name, value]) =>
      `SET LOCAL ${name} = ${typeof value === 'number' || name === 'search_path' ? value : literal(value)}`,
  );
}

/** The same as `localSettings` in a single SELECT, which also returns `expression` as evaluated after them. */
export function selectWithSettings(
  database: Database,
  settings: TransactionSettings,
  expression: string,
): string {
  const calls = settingsOf(database, settings).map(
    ([name, value]) => `set_config(${literal(name)}, ${literal(String(value))}, true)`,
  );
  return `SELECT ${[...calls, expression].join(', ')}`;
}

function settingsOf(database: Database, settings: TransactionSettings): [string, string | number][] {
  const { lockTimeoutMs, statementTimeoutMs, searchPath } = settings;
  const values: [string, string | number][] = Object.entries(database.deadClientSettings);
  // PgBouncer takes the name that RESET ALL brings back, an empty one, for the client's own.
  if (database.behindPooler) values.push(['application_name', APPLICATION_NAME]);
  if (lockTimeoutMs !== undefined) values.push(['lock_timeout', lockTimeoutMs]);
  if (statementTimeoutMs !== undefined) values.push(['statement_timeout', statementTimeoutMs]);
  if (searchPath !== undefined) values.push(['search_path', schemaList(searchPath)]);
  return values;
}

/** SET LOCAL search_path, with every schema name quoted. */
export function setSearchPath(schemas: readonly string[]): string {
  return `SET LOCAL search_path TO ${schemaList(schemas)}`;
}

function schemaList(schemas: readonly string[]): string {
  return schemas.map(identifier).join(', ');
}

/**
 * The expression that takes the advisory lock of that name until the transaction ends, and says whether it did:
 * pg_try_advisory_xact_lock never waits, and the lock ends with its owner. Waiting is done by asking again, not in
 * the server, where a waiting statement would hold up CREATE INDEX CONCURRENTLY everywhere in the database.
 */
export function tryLock(name: string): string {
  return `pg_try_advisory_xact_lock(${lockKey(literal(name))})`;
}

/** The number of the advisory lock of that name, in SQL. @param name in SQL */
export function lockKey(name: string): string {
  return `hashtextextended('tenantctl:' || ${name}, 0)`;
}

/** pg answers a string of several statements with an array, a string of one with a single result. */
function asArray(result: QueryResult | QueryResult[]): QueryResult[] {
  return Array.isArray(result) ? result : [result];
}

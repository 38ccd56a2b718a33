import {
  Kysely,
  PostgresDialect,
  type ControlledTransaction,
  type KyselyConfig,
  type PostgresDialectConfig,
} from 'kysely';
import type { Pool } from 'pg';
import { openCalls, type Calls, type OpenTenantsOptions } from './calls.ts';
import { connectionsOf } from './connection-source.ts';
import { inLibraryTransaction } from './library-transaction.ts';
import { poolOfOne } from './pool-of-one.ts';

/** What Kysely does not tell of itself. */
export interface KyselyTenantsOptions extends OpenTenantsOptions {
  /** The pool of its PostgresDialect. */
  readonly pool: Pick<Pool, 'connect'>;
  /** pg-cursor, for `stream()`. */
  readonly cursor?: PostgresDialectConfig['cursor'];
  readonly log?: KyselyConfig['log'];
}

export function openKyselyCalls<Database>(
  db: Kysely<Database>,
  { pool, cursor, log, ...options }: KyselyTenantsOptions,
): Calls<ControlledTransaction<Database>> {
  return openCalls<ControlledTransaction<Database>>(
    connectionsOf(pool),
    options,
    (client, work, _options, committed) =>
      inLibraryTransaction({ client, committed }, work, async (connection, run) => {
        const tenant = new Kysely<Database>({
          dialect: new PostgresDialect({ pool: poolOfOne(connection), ...(cursor && { cursor }) }),
          plugins: [...db.getExecutor().plugins],
          ...(log && { log }),
        });
        await run(await tenant.startTransaction().execute());
      }),
  );
}

import { Readable } from 'node:stream';
import type { ClientBase } from 'pg';
import { TenantctlError } from '../errors.ts';
import { openCalls, type Calls, type OpenTenantsOptions } from './calls.ts';
import type { ConnectionSource } from './connection-source.ts';
import { inLibraryTransaction } from './library-transaction.ts';
import type { TenantClient } from './tenant-client.ts';

/** A Knex from 0.95 on. Its types are the application's. */
export interface AnyKnex<Trx> {
  readonly client: unknown;
  transaction<Result>(
    work: (trx: Trx) => Promise<Result> | void,
    config?: { connection?: unknown },
  ): Promise<Result>;
}

/** What is used of Knex's client (knex/lib/client.js). */
interface KnexClient {
  readonly driverName: string;
  /** It is one of a transaction. */
  readonly transacting?: boolean;
  acquireConnection(): Promise<KnexConnection>;
  releaseConnection(connection: ClientBase): Promise<void>;
}

/** Knex's pool destroys a connection that has this mark. */
type KnexConnection = ClientBase & { __knex__disposed?: unknown };

/** @throws TenantctlError USAGE if it is no Knex for pg, or a transaction */
export function openKnexCalls<Trx>(db: AnyKnex<Trx>, options: OpenTenantsOptions = {}): Calls<Trx> {
  const client = db.client as Partial<KnexClient> | undefined;
  if (client?.driverName !== 'pg' || client.transacting === true)
    throw new TenantctlError('USAGE', 'withTenant takes a Knex for pg, and no transaction of it.', {
      hint: 'Pass the db that knex({ client: "pg" }) returned: a call opens its own transaction.',
    });
  return openCalls<Trx>(
    connectionsOf(client as KnexClient),
    options,
    (tenantClient, work, _options, committed) =>
      // It ends when the call has: trx.executionPromise tells of the COMMIT.
      inLibraryTransaction({ client: failingStreams(tenantClient), committed }, work, (connection, run) =>
        db.transaction(run, { connection }),
      ),
  );
}

function connectionsOf(client: KnexClient): ConnectionSource {
  return {
    take: () => client.acquireConnection(),
    giveBack(connection: KnexConnection, isBroken) {
      if (isBroken) connection.__knex__disposed ??= new Error('a call for a tenant could not end on it');
      void client.releaseConnection(connection);
    },
  };
}

/** Knex tells the reader of a stream only what the stream says: a refusal becomes its error. */
function failingStreams(client: TenantClient): TenantClient {
  const query = client.query as (...given: unknown[]) => unknown;
  return {
    ...client,
    query: ((...given: unknown[]) => {
      try {
        return query(...given);
      } catch (error) {
        const [stream] = given;
        if (!(stream instanceof Readable)) throw error;
        return stream.destroy(error as Error);
      }
    }) as TenantClient['query'],
  };
}

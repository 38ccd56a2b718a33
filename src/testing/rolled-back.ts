import { Pool, type Client, type PoolClient, type PoolConfig } from 'pg';
import { findTenant } from '../app/find-tenant.ts';
import { unknownTenant } from '../app/admission.ts';
import { clientConfig } from '../db/connections.ts';
import type { ServerSettings } from '../db/database.ts';
import { identifier } from '../db/sql.ts';
import type { Names } from '../names.ts';
import { savepointClients } from './savepoint-client.ts';

/** A tenant in a transaction that is rolled back. */
export interface RolledBackTenant {
  readonly schema: string;
  /**
   * The connection of the transaction, for the test's own queries: unqualified names are those of the tenant's schema,
   * then of `public`.
   */
  readonly client: Pick<Client, 'query'>;
  /** A pool with this one connection, for the application, Kysely, Drizzle, Prisma or `openTenants`. */
  readonly pool: Pool;
  /**
   * The application's Knex on this connection.
   * @param create the function that the package knex exports
   * @param config more of its configuration; `connection` and `pool` are not used
   */
  knex<Made extends AnyKnex>(create: (config: never) => Made, config?: object): Made;
  /** Rolls back, and closes the connection. A second call does nothing. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Its types are the application's. */
export interface AnyKnex {
  readonly client: unknown;
}

/** What is used of Knex's client (knex/lib/client.js). */
interface KnexClient {
  acquireConnection(): Promise<PoolClient>;
  releaseConnection(connection: PoolClient): Promise<void>;
}

/** Milliseconds that a caller waits for the only connection; then it most likely waits for itself. */
const WAIT_MS = 5_000;

/** Opens a connection to a database in which nothing is ever committed, and begins the transaction. */
export async function openRolledBack(
  settings: ServerSettings,
  names: Names,
  organization: string,
): Promise<RolledBackTenant> {
  const config = clientConfig(settings);
  const schema = await schemaOf(config, names, organization);
  const path = `SET LOCAL search_path TO ${identifier(schema)}, public`;
  const Clients = savepointClients(config, (send) => send({ text: `BEGIN; ${path}` }));
  const pool = new Pool({
    Client: Clients,
    max: 1,
    connectionTimeoutMillis: WAIT_MS,
    idleTimeoutMillis: 0,
  });
  pool.on('error', () => {});
  const client = await pool.connect();
  client.release();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closePool(pool, client));
  return {
    schema,
    client,
    pool,
    knex: (create, more) => knexOn(pool, create, more),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function schemaOf(config: PoolConfig, names: Names, organization: string): Promise<string> {
  const pool = new Pool({ ...config, max: 1 });
  try {
    const { schema } = await findTenant(pool, names, organization);
    if (schema === null) throw unknownTenant(organization);
    return schema;
  } finally {
    await pool.end();
  }
}

/** The application may still have the connection: the pool would wait for it. */
async function closePool(pool: Pool, client: PoolClient): Promise<void> {
  void pool.end();
  await (client as unknown as Client).end();
}

function knexOn<Made extends AnyKnex>(pool: Pool, create: (config: never) => Made, more: object = {}): Made {
  const made = create({ ...more, client: 'pg', connection: undefined, pool: undefined } as never);
  const client = made.client as KnexClient;
  client.acquireConnection = () => pool.connect();
  client.releaseConnection = async (connection) => connection.release();
  return made;
}

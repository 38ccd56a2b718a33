import { Pool, type PoolClient, type QueryResultRow } from 'pg';
import { TenantctlError } from '../errors.ts';
import { DEFAULT_NAMES } from '../names.ts';
import { createConcealer } from '../secrets.ts';
import { cancelClients, stopClient } from './cancel.ts';
import { toConnectionError, toDatabaseError } from './database-error.ts';
import { canCheckClient, deadClientSettings } from './dead-client.ts';
import { checkDirect, directError } from './direct.ts';
import { lookAround, type Surroundings } from './look-around.ts';
import { DIRECT_URL_REMEDY } from './pooler.ts';
import { type ServerSettings, type PoolOptions, type Database, APPLICATION_NAME } from './database.ts';
import type { Place } from './place.ts';

/** A migration outside a transaction and the lock beside it, and one more. */
const DIRECT_CONNECTIONS = 3;

const OLDEST_SERVER = 120_000;

/** After so many tenants a connection is closed, and the next one opened in its place. */
const TENANTS_PER_CONNECTION = 1_000;

/**
 * Opens a pool on a server and looks at what answers. Prefer withDatabase, which also closes it.
 *
 * Nothing is sent as a start-up parameter but application_name: PgBouncer refuses the others
 * (https://www.pgbouncer.org/config.html#ignore_startup_parameters).
 *
 * @throws TenantctlError CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED, SERVER_UNSUPPORTED,
 *   POOLER_UNSUPPORTED for one that allows no transactions
 */
export async function openServer(
  settings: Omit<ServerSettings, 'kind'>,
  options: PoolOptions & { readonly sharedSession?: boolean },
): Promise<Database> {
  const pool = new Pool({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    ...(settings.password !== undefined && { password: settings.password }),
    database: settings.database,
    ssl: settings.ssl,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    max: options.maxConnections,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  });
  // A connection that breaks must not end the process: the query at work, or the next one, reports it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const served = new WeakMap<PoolClient, number>();
  const inUse = new Set<PoolClient>();
  pool.on('acquire', (client) => inUse.add(client));
  pool.on('release', (_error, client) => inUse.delete(client));
  let isCancelled = false;
  let direct: Promise<Database> | undefined;
  try {
    const sharedSession = options.sharedSession ?? false;
    const { build, password, place, ...seen } = await lookThrough(pool, settings, sharedSession);
    refuseOldServer(seen);
    const facts = { serverVersion: seen.serverVersion, build, sharedSession };
    const key = settings.ssl === false ? undefined : settings.ssl.key;
    const conceal = createConcealer(
      [password, typeof key === 'string' ? key : undefined].filter((secret) => !names(settings, secret)),
    );
    const database: Database = {
      pool,
      names: options.names ?? DEFAULT_NAMES,
      connect: () => connectTo(pool, settings),
      giveBack(client, broken, tenants) {
        const sum = (served.get(client) ?? 0) + tenants;
        served.set(client, sum);
        client.release(broken !== false ? broken : sum >= TENANTS_PER_CONNECTION && !options.sharedSession);
      },
      async warm(connections) {
        const missing = Math.min(connections, options.maxConnections) - pool.totalCount;
        const opened = await Promise.allSettled(
          Array.from({ length: Math.max(0, missing) }, () => pool.connect()),
        );
        // Whoever needs one that could not be had hears why then.
        for (const one of opened) if (one.status === 'fulfilled') one.value.release();
      },
      async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) {
        const client = await connectTo(pool, settings);
        try {
          return await client.query<Row>(text, [...values]);
        } catch (error) {
          throw toDatabaseError(error).concealing(conceal);
        } finally {
          client.release(client.getTransactionStatus() !== 'I');
        }
      },
      ...seen,
      conceal,
      sharedSession,
      canCheckClient: canCheckClient(facts),
      deadClientSettings: deadClientSettings(facts),
      hasSessions: settings.direct !== undefined || !seen.behindPooler,
      async sessions() {
        if (settings.direct !== undefined) {
          direct ??= openDirect(database, place, settings.direct).catch((error: unknown) => {
            direct = undefined;
            throw error;
          });
          return direct;
        }
        if (!seen.behindPooler) return database;
        throw new TenantctlError(
          'POOLER_UNSUPPORTED',
          'This needs a session of its own, and a connection pooler is in between.',
          { hint: DIRECT_URL_REMEDY },
        );
      },
      async cancelWork() {
        isCancelled = true;
        const alsoDirect = direct?.then((opened) => opened.cancelWork()).catch(() => {});
        await cancelClients(pool, inUse, seen.behindPooler);
        await alsoDirect;
      },
      stop: (client) => stopClient(pool, inUse, client, seen.behindPooler),
      get isCancelled() {
        return isCancelled;
      },
      async close() {
        await direct?.then((opened) => opened.close()).catch(() => {});
        await pool.end();
      },
    };
    return database;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function openDirect(
  pooled: Database,
  place: Place,
  settings: Omit<ServerSettings, 'kind' | 'direct'>,
): Promise<Database> {
  const direct = await openServer(settings, {
    maxConnections: DIRECT_CONNECTIONS,
    names: pooled.names,
  }).catch((error: unknown) => {
    throw directError(error);
  });
  try {
    await checkDirect(pooled, place, direct);
    return direct;
  } catch (error) {
    await direct.close();
    throw error;
  }
}

/**
 * Refuses a server that is older than what tenantctl is tested on.
 * @throws TenantctlError SERVER_UNSUPPORTED
 */
export function refuseOldServer(server: Pick<Database, 'serverVersion' | 'serverVersionText'>): void {
  if (server.serverVersion >= OLDEST_SERVER) return;
  throw new TenantctlError(
    'SERVER_UNSUPPORTED',
    `The server is PostgreSQL ${server.serverVersionText}; tenantctl needs version 12 or newer.`,
    { hint: 'Upgrade the server: every version before 12 has been out of support since 2023.' },
  );
}

function connectTo(pool: Pool, settings: Omit<ServerSettings, 'kind'>): Promise<PoolClient> {
  return pool.connect().catch((error: unknown) => {
    throw toConnectionError(error, settings);
  });
}

/** A password that is a name as well is no secret, and errors tell names. */
function names({ user, database, host }: Omit<ServerSettings, 'kind'>, secret: string | undefined): boolean {
  return secret !== undefined && [user, database, host].includes(secret);
}

async function lookThrough(
  pool: Pool,
  settings: Omit<ServerSettings, 'kind'>,
  sharedSession: boolean,
): Promise<Surroundings> {
  const client = await connectTo(pool, settings);
  let isWell = false;
  try {
    const seen = await lookAround(client, settings, sharedSession);
    isWell = true;
    return seen;
  } finally {
    client.release(!isWell);
  }
}

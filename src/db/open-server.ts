import pLimit from 'p-limit';
import type { QueryResultRow } from 'pg';
import { TenantctlError } from '../errors.ts';
import { DEFAULT_NAMES } from '../names.ts';
import { createConcealer } from '../secrets.ts';
import { capabilitiesOf } from './capabilities.ts';
import { createConnections, NEEDED, type ConnectionOptions } from './connections.ts';
import { databaseClosed, toDatabaseError } from './database-error.ts';
import { deadClientSettings } from './dead-client.ts';
import { createDirect, DIRECT_CONNECTIONS } from './direct.ts';
import { createLease } from './lease.ts';
import { ownQuery } from './own-query.ts';
import { lookAround, type Surroundings } from './look-around.ts';
import { passwordOf } from './pg-internals.ts';
import { createTogether } from './together.ts';
import { withClient } from './transaction.ts';
import type { Address, Connections, Database } from './database.ts';

const OLDEST_SERVER = 120_000;

interface OpenOptions extends ConnectionOptions {
  /** Called once by close(), after the connections are closed. */
  readonly afterClose?: () => Promise<void>;
}

/**
 * Opens a pool on a server and examines what answers. Prefer withDatabase, which also closes it. The only
 * start-up parameter is application_name: PgBouncer refuses others
 * (https://www.pgbouncer.org/config.html#ignore_startup_parameters).
 * @throws TenantctlError CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED, SERVER_UNSUPPORTED,
 *   POOLER_UNSUPPORTED for one that allows no transactions
 */
export async function openServer(settings: Address, options: OpenOptions): Promise<Database> {
  const connections = createConnections(settings, options);
  try {
    const surroundings = await withClient({ ...connections, assertOpen() {} }, (client) =>
      lookAround(client, settings, options.sharedSession ?? false),
    );
    refuseOldServer(surroundings);
    return databaseOver(connections, settings, options, surroundings);
  } catch (error) {
    await connections.end();
    throw error;
  }
}

function databaseOver(
  connections: Connections,
  settings: Address,
  { names = DEFAULT_NAMES, afterClose }: OpenOptions,
  seen: Surroundings,
): Database {
  const { behindPooler, readOnly, serverVersionText, serverVersion } = seen;
  const { direct: past, connectTimeoutMs } = settings;
  const conceal = concealPasswords(settings, connections, seen.password);
  let isCancelled = false;
  let closing: Promise<void> | undefined;
  const lease = createLease(() => database);
  const direct = createDirect(
    () => database,
    seen,
    past && (() => openServer(past, { maxConnections: DIRECT_CONNECTIONS, names })),
  );
  const shut = async () => {
    await lease.close();
    await direct.also((opened) => opened.close());
    await connections.end();
    await afterClose?.();
  };
  const database: Database = {
    ...connections,
    get width() {
      return connections.width;
    },
    ...capabilitiesOf(seen, past !== undefined, connections.max >= NEEDED.aside),
    names,
    connectTimeoutMs,
    behindPooler,
    readOnly,
    serverVersionText,
    conceal,
    lease,
    serverMajor: Math.floor(serverVersion / 10_000),
    deadClientSettings: deadClientSettings(seen),
    async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) {
      const use = { purpose: 'query', tenants: 0 } as const;
      try {
        return await withClient(database, (client) => ownQuery<Row>(client, database, {}, text, values), use);
      } catch (error) {
        throw toDatabaseError(error).concealing(conceal);
      }
    },
    together: createTogether(() => database),
    remember: createMemory(),
    alone: pLimit(1),
    async sessions() {
      return past === undefined && !behindPooler ? database : direct.sessions();
    },
    async cancelWork() {
      isCancelled = true;
      await Promise.all([direct.also((opened) => opened.cancelWork()), connections.cancel()]);
    },
    get isCancelled() {
      return isCancelled;
    },
    assertOpen(cause) {
      if (closing !== undefined) throw databaseClosed(cause);
    },
    close() {
      isCancelled = true;
      return (closing ??= shut());
    },
  };
  return database;
}

function createMemory(): Database['remember'] {
  const made = new Map<unknown, unknown>();
  return <T extends object>(make: () => T) => {
    if (!made.has(make)) made.set(make, make());
    return made.get(make) as T;
  };
}

/** Refuses a server older than tenantctl is tested on. @throws TenantctlError SERVER_UNSUPPORTED */
export function refuseOldServer(server: Pick<Surroundings, 'serverVersion' | 'serverVersionText'>): void {
  if (server.serverVersion >= OLDEST_SERVER) return;
  throw new TenantctlError(
    'SERVER_UNSUPPORTED',
    `The server is PostgreSQL ${server.serverVersionText}; tenantctl needs version 12 or newer.`,
    { hint: 'Upgrade the server: every version before 12 has been out of support since 2023.' },
  );
}

/**
 * Masks the key, and the passwords of the connections: a function may return another one for each. A password
 * that is also a name is not masked: errors contain names.
 */
function concealPasswords(
  { user, database, host, ssl }: Address,
  { pool, max }: Connections,
  first: string | undefined,
): (text: string) => string {
  const names: unknown[] = [user, database, host];
  const key = ssl === false ? undefined : ssl.key;
  let passwords = [first];
  const concealer = () =>
    createConcealer(
      [...passwords, key]
        .filter((secret) => typeof secret === 'string')
        .filter((secret) => !names.includes(secret)),
    );
  let conceal = concealer();
  pool.on('connect', (client) => {
    const password = passwordOf(client);
    if (passwords.includes(password)) return;
    passwords = [password, ...passwords].slice(0, max);
    conceal = concealer();
  });
  return (text) => conceal(text);
}

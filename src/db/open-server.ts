import pLimit from 'p-limit';
import type { QueryResultRow } from 'pg';
import { TenantctlError } from '../errors.ts';
import { DEFAULT_NAMES, type Names } from '../names.ts';
import { createConcealer } from '../secrets.ts';
import { capabilitiesOf } from './capabilities.ts';
import { createConnections, NEEDED, type ConnectionOptions } from './connections.ts';
import type { Connections, Database, PoolOptions, ServerSettings } from './database.ts';
import { databaseClosed, toDatabaseError } from './database-error.ts';
import { deadClientSettings } from './dead-client.ts';
import { openDirect } from './direct.ts';
import { createLease } from './lease.ts';
import { lookAround, type Surroundings } from './look-around.ts';
import { DIRECT_URL_REMEDY } from './pooler.ts';
import { withClient } from './transaction.ts';

const OLDEST_SERVER = 120_000;

/** How to reach a server, without the kind. */
type Settings = Omit<ServerSettings, 'kind'>;

/** What is different for the embedded server. */
interface OpenOptions extends ConnectionOptions {
  /** Called once by close(), when the connections are closed. */
  readonly afterClose?: () => Promise<void>;
}

/**
 * Opens a pool on a server and looks at what answers. Prefer withDatabase, which also closes it.
 *
 * Nothing is sent as a start-up parameter but application_name: PgBouncer refuses the others
 * (https://www.pgbouncer.org/config.html#ignore_startup_parameters).
 *
 * @throws TenantctlError CONNECTION_FAILED, LOGIN_FAILED, DATABASE_MISSING, TLS_FAILED, SERVER_UNSUPPORTED, USAGE,
 *   POOLER_UNSUPPORTED for one that allows no transactions
 */
export async function openServer(settings: Settings, options: OpenOptions): Promise<Database> {
  const connections = createConnections(settings, options);
  try {
    const sharedSession = options.sharedSession ?? false;
    const surroundings = await withClient({ ...connections, assertOpen() {} }, (client) =>
      lookAround(client, settings, sharedSession),
    );
    refuseOldServer(surroundings);
    return databaseOver(connections, settings, options, surroundings);
  } catch (error) {
    await connections.end(false);
    throw error;
  }
}

function databaseOver(
  connections: Connections,
  settings: Settings,
  { sharedSession = false, names = DEFAULT_NAMES, afterClose }: OpenOptions,
  { build, password, place, serverVersion, ...seen }: Surroundings,
): Database {
  const { behindPooler } = seen;
  const conceal = concealerFor(settings, password);
  const lane = pLimit(1);
  let isCancelled = false;
  let closing: Promise<void> | undefined;
  const direct = createDirect(settings.direct, names, (open) => openDirect(database, place, open));
  const shut = async () => {
    await lease.close();
    await direct.also((opened) => opened.close());
    await connections.end(behindPooler);
    await afterClose?.();
  };
  const withoutLease: Omit<Database, 'lease'> = {
    ...connections,
    get opened() {
      return connections.opened;
    },
    async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) {
      const send = { purpose: 'query', tenants: 0 } as const;
      return withClient(database, (client) => client.query<Row>(text, [...values]), send).catch(
        (error: unknown) => {
          throw toDatabaseError(error).concealing(conceal);
        },
      );
    },
    names,
    alone: (work) => lane(work),
    connectTimeoutMs: settings.connectTimeoutMs,
    ...seen,
    conceal,
    ...capabilitiesOf({
      serverVersion,
      behindPooler,
      sharedSession,
      hasDirectUrl: settings.direct !== undefined,
      isLargeEnough: connections.max >= NEEDED.aside,
    }),
    serverMajor: Math.floor(serverVersion / 10_000),
    deadClientSettings: deadClientSettings({ serverVersion, build, sharedSession }),
    async sessions() {
      return settings.direct === undefined && !behindPooler ? database : direct.open();
    },
    async cancelWork() {
      isCancelled = true;
      await Promise.all([direct.also((opened) => opened.cancelWork()), connections.cancel(behindPooler)]);
    },
    stop: (client) => connections.stop(client, behindPooler),
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
  const lease = createLease(withoutLease);
  const database: Database = Object.assign(withoutLease, { lease });
  return database;
}

/** The way past a pooler: opened when it is first asked for. */
function createDirect(
  settings: ServerSettings['direct'],
  names: Names,
  check: (open: (options: PoolOptions) => Promise<Database>) => Promise<Database>,
) {
  let opened: Promise<Database> | undefined;
  return {
    /** @throws TenantctlError POOLER_UNSUPPORTED where there is none, and as openDirect does */
    open(): Promise<Database> {
      if (settings === undefined) throw noSessions();
      opened ??= check((options) => openServer(settings, { ...options, names })).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
    /** Does something to it as well, where it is open. */
    async also(deed: (database: Database) => Promise<void>): Promise<void> {
      await opened?.then(deed).catch(() => {});
    },
  };
}

/**
 * Refuses a server that is older than what tenantctl is tested on.
 * @throws TenantctlError SERVER_UNSUPPORTED
 */
export function refuseOldServer(server: Pick<Surroundings, 'serverVersion' | 'serverVersionText'>): void {
  if (server.serverVersion >= OLDEST_SERVER) return;
  throw new TenantctlError(
    'SERVER_UNSUPPORTED',
    `The server is PostgreSQL ${server.serverVersionText}; tenantctl needs version 12 or newer.`,
    { hint: 'Upgrade the server: every version before 12 has been out of support since 2023.' },
  );
}

function noSessions(): TenantctlError {
  return new TenantctlError(
    'POOLER_UNSUPPORTED',
    'This needs a session of its own, and a connection pooler is in between.',
    { hint: DIRECT_URL_REMEDY },
  );
}

/** Conceals the password and the key. A password that is a name as well is no secret, and errors tell names. */
function concealerFor(settings: Settings, password: string | undefined): (text: string) => string {
  const { user, database, host, ssl } = settings;
  const key = ssl === false ? undefined : ssl.key;
  const names: unknown[] = [user, database, host];
  return createConcealer(
    [password, typeof key === 'string' ? key : undefined].filter((secret) => !names.includes(secret)),
  );
}

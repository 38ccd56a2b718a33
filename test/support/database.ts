import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBase, Pool } from 'pg';
import { inject, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import { fastFolder } from './postgres-folders.ts';
import { createQueries, openPool, type Queries } from './queries.ts';
import type { Database, DatabaseSettings, ServerSettings } from '../../src/db/database.ts';
import type { Names } from '../../src/names.ts';

/** A test's database, dropped when the test ends. */
export interface TestDatabase {
  readonly settings: DatabaseSettings;
  readonly env: Readonly<Record<string, string>>;
  /** Opens it with tenantctl's own pool, closed when the test ends. */
  open(maxConnections?: number, names?: Names): Promise<Database>;
  /** Queries as superuser: see Queries. Not while an embedded one is open elsewhere. */
  readonly query: Queries['query'];
}

export interface TestServerDatabase extends TestDatabase {
  readonly settings: ServerSettings;
  readonly url: string;
}

/**
 * Creates a database on the test server; call it in a test or beforeEach.
 * @param template database to copy, which must have no connections; empty if absent
 */
export async function createDatabase(
  template: (server: ClientBase) => Promise<string> = () => Promise.resolve('template1'),
): Promise<TestServerDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(inject('serverUrl'));
  // Takes a third of the default time since 15; older servers have no alternative.
  const strategy = inject('serverVersion') >= 150_000 ? ' STRATEGY file_copy' : '';
  await onServer(async (server) => {
    await server.query(`CREATE DATABASE ${name} TEMPLATE ${await template(server)}${strategy}`);
  });
  url.pathname = name;
  const opened: Database[] = [];
  const queries = createQueries(url.href);
  onTestFinished(async () => {
    await queries.close();
    for (const database of opened) await database.close();
    await onServer(async (server) => {
      await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
      await server.query(`DROP DATABASE IF EXISTS ${name}`);
    });
  });
  const settings = settingsOf(url);
  return {
    settings,
    url: url.href,
    env: envOf(settings),
    async open(maxConnections = 5, names?: Names) {
      const database = await openDatabase(settings, { maxConnections, names });
      opened.push(database);
      return database;
    },
    query: queries.query,
  };
}

/** An empty database with pgvector, on the test server if available, otherwise embedded. */
export async function createVectorDatabase(): Promise<TestDatabase> {
  return inject('serverHasVector') ? createDatabase() : createEmbeddedDatabase();
}

export async function createEmbeddedDatabase(): Promise<TestDatabase> {
  const directory = await mkdtemp(join(await fastFolder(), 'tenantctl-embedded-'));
  if (!inject('serverHasVector')) await cp(inject('embeddedTemplate'), directory, { recursive: true });
  const settings: DatabaseSettings = { kind: 'embedded', directory, lockWaitMs: 30_000 };
  let opened: Database | undefined;
  onTestFinished(async () => {
    await opened?.close();
    await rm(directory, { recursive: true, force: true });
  });
  const open = async () => (opened ??= await openDatabase(settings, { maxConnections: 1 }));
  return {
    settings,
    env: { DB_EMBEDDED: directory },
    open,
    async query<Row extends object>(text: string, values?: unknown[]) {
      const wasOpen = opened !== undefined;
      const database = await open();
      const { rows } = await database.query<Row>(text, values);
      if (!wasOpen) {
        // Next, the program opens the folder in its own process.
        await database.close();
        opened = undefined;
      }
      return rows;
    },
  };
}

export function settingsOf(url: URL): ServerSettings {
  const password = decodeURIComponent(url.password);
  return {
    kind: 'server',
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    ...(password !== '' && { password }),
    database: url.pathname.slice(1),
    ssl: false,
    connectTimeoutMs: 10_000,
  };
}

export function envOf(settings: ServerSettings): Record<string, string> {
  return {
    DB_HOST: settings.host,
    DB_PORT: String(settings.port),
    DB_USER: settings.user,
    DB_PASSWORD: typeof settings.password === 'string' ? settings.password : '',
    DB_NAME: settings.database,
    DB_SSL: 'false',
  };
}

/** Sessions on the test server to create and drop a file's databases. */
let maintenance: Pool | undefined;

async function onServer(use: (server: ClientBase) => Promise<void>): Promise<void> {
  maintenance ??= openPool(inject('serverUrl'), 4);
  const client = await maintenance.connect();
  try {
    await use(client);
  } finally {
    client.release();
  }
}

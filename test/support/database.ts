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

/** A database of a test's own, dropped when the test is over. */
export interface TestDatabase {
  readonly settings: DatabaseSettings;
  /** The variables with which the command line finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** Opens it through tenantctl's own pool, closed when the test is over. */
  open(maxConnections?: number, names?: Names): Promise<Database>;
  /** Rows of a query, as superuser: see Queries. Not while an embedded one is open elsewhere. */
  readonly query: Queries['query'];
}

/** A server database of a test's own. */
export interface TestServerDatabase extends TestDatabase {
  readonly settings: ServerSettings;
  readonly url: string;
}

/**
 * A database on the tests' server; call it within a test or a beforeEach.
 * @param template names the database of which it is a copy, and to which nobody is connected; it is empty where absent
 */
export async function createDatabase(
  template: (server: ClientBase) => Promise<string> = () => Promise.resolve('template1'),
): Promise<TestServerDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(inject('serverUrl'));
  // A third of the time that 15 and later take by default; before 15 there is no other way.
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

/** An empty database that has pgvector: on the tests' server where that has it, else an embedded one. */
export async function createVectorDatabase(): Promise<TestDatabase> {
  return inject('serverHasVector') ? createDatabase() : createEmbeddedDatabase();
}

/** An empty embedded database. */
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
        // The command line is the next to open the folder, in a process of its own.
        await database.close();
        opened = undefined;
      }
      return rows;
    },
  };
}

/** How tenantctl finds the database of a URL. */
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

/** The variables by which the program finds it. */
export function envOf(settings: ServerSettings): Record<string, string> {
  return {
    DB_HOST: settings.host,
    DB_PORT: String(settings.port),
    DB_USER: settings.user,
    DB_PASSWORD: settings.password ?? '',
    DB_NAME: settings.database,
    DB_SSL: 'false',
  };
}

/** Sessions of the tests' server, for the databases that the tests of a file create and drop. */
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

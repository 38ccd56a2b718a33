import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import type { PostgresServer } from '../support/postgres-programs.ts';
import type { Queries } from '../support/queries.ts';

export type Query = Queries['query'];

export interface FaultDatabase {
  readonly name: string;
  readonly url: string;
  /** Uses its own connection, past any proxy. */
  readonly query: Query;
  session<T>(use: (query: Query) => Promise<T>): Promise<T>;
  /** The environment of the program, with the port of the server or a proxy. */
  env(port: number): Readonly<Record<string, string>>;
  drop(): Promise<void>;
}

export interface Databases {
  readonly server: PostgresServer;
  /** A new database: empty, or a copy of one without connections. */
  create(like?: FaultDatabase): Promise<FaultDatabase>;
  /** Queries the server outside any case's database. */
  readonly query: Query;
  /** Turns fsync on, as faults require, or off for speed. */
  setDurable(isDurable: boolean): Promise<void>;
}

export function createDatabases(server: PostgresServer): Databases {
  let count = 0;
  // A pool, because the server is polled for active backends.
  const pool = new Pool({ connectionString: server.url, application_name: 'faults' });
  pool.on('error', () => {});
  // A client that is in use tells the pool nothing.
  pool.on('connect', (client) => client.on('error', () => {}));
  const query: Query = async <Row extends object>(text: string, values?: unknown[]) => {
    const client = await connected(() => pool.connect(), CONNECTION_TRIES);
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      client.release();
    }
  };
  return {
    server,
    query,
    async setDurable(isDurable) {
      await query(`ALTER SYSTEM SET fsync = ${isDurable ? 'on' : 'off'}`);
      await query('SELECT pg_reload_conf()');
      await query('CHECKPOINT');
    },
    async create(like) {
      count += 1;
      const name = `faults_${count}`;
      await query(`CREATE DATABASE ${name} TEMPLATE ${like?.name ?? 'template1'}`);
      const url = new URL(server.url);
      url.pathname = name;
      return {
        name,
        url: url.href,
        query: (text, values) => withSession(url.href, (ask) => ask(text, values)),
        session: (use) => withSession(url.href, use),
        env: (port) => ({
          DB_HOST: '127.0.0.1',
          DB_PORT: String(port),
          DB_USER: url.username,
          DB_PASSWORD: '',
          DB_NAME: name,
          DB_SSL: 'false',
          VECTOR_EXTENSION: 'auto',
        }),
        drop: async () => {
          await query(`DROP DATABASE IF EXISTS ${name}`);
        },
      };
    },
  };
}

/** How often to try to connect after a crash, and the milliseconds in between. */
const CONNECTION_TRIES = 100;
const BETWEEN_TRIES_MS = 100;

async function withSession<T>(url: string, use: (query: Query) => Promise<T>): Promise<T> {
  const client = await connected(async () => {
    const made = new Client({ connectionString: url, application_name: 'faults' });
    made.on('error', () => {});
    await made.connect();
    return made;
  }, CONNECTION_TRIES);
  try {
    return await use(async <Row extends object>(text: string, values?: unknown[]) => {
      const { rows } = await client.query<Row>(text, values);
      return rows;
    });
  } finally {
    await client.end();
  }
}

async function connected<T>(connect: () => Promise<T>, tries: number): Promise<T> {
  try {
    return await connect();
  } catch (error) {
    if (tries <= 1) throw error;
    await sleep(BETWEEN_TRIES_MS);
    return connected(connect, tries - 1);
  }
}

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool, type ClientBase } from 'pg';
import { lockKey } from '../db/advisory-lock.ts';
import { clientConfig } from '../db/connections.ts';
import { toConnectionError, toDatabaseError } from '../db/database-error.ts';
import type { ServerSettings } from '../db/database.ts';
import { keepAlive } from '../db/pg-internals.ts';
import { identifier, literal } from '../db/sql.ts';
import { TenantctlError } from '../errors.ts';

/** Creates and drops databases, and holds the lock of a run. */
export interface TestServer {
  /** A name for a database of this run. */
  newName(): string;
  /** @param template empty if absent */
  create(name: string, template?: string): Promise<void>;
  /** Cuts its connections, and drops it. */
  drop(name: string): Promise<void>;
  exists(name: string): Promise<boolean>;
  /** Gives a complete database its name. Nobody can connect to it from then on. */
  seal(database: string, name: string): Promise<void>;
  /** Databases whose names begin like this. */
  list(prefix: string): Promise<string[]>;
  /** Does work while no other process does it. */
  alone(name: string, work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const FORCE_SINCE = 13;
const STRATEGY_SINCE = 15;

/** @throws TenantctlError as openDatabase */
export async function openTestServer(server: ServerSettings, prefix: string): Promise<TestServer> {
  const run = `${prefix}_run${randomBytes(4).toString('hex')}`;
  const holder = await holdLock(server, run);
  keepAlive(holder, false);
  const pool = new Pool({ ...clientConfig(server), max: 4, allowExitOnIdle: true });
  pool.on('error', () => {});
  const { major, isCareless } = await readFacts(pool);
  const send = (text: string) =>
    pool.query(text).catch((error: unknown) => {
      throw rightsMissing(server, error) ?? toDatabaseError(error);
    });
  const list = async (begin: string) => {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1`,
      [begin],
    );
    return rows.map(({ name }) => name);
  };
  const drop = async (name: string) => {
    await untilLeft(pool, name);
    if (major >= FORCE_SINCE) await send(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`);
    else await dropByHand(pool, name);
  };
  // Without fsync the checkpoints of a file copy cost nothing, and it takes a third of the time.
  const strategy = major >= STRATEGY_SINCE && isCareless ? ' STRATEGY file_copy' : '';
  let made = 0;
  await dropLeftovers(pool, await list(`${prefix}_run`), run, drop);
  return {
    newName: () => `${run}_${(made += 1)}`,
    list,
    drop,
    async create(name, template) {
      const copied = template === undefined ? '' : ` TEMPLATE ${identifier(template)}${strategy}`;
      await send(`CREATE DATABASE ${identifier(name)}${copied}`);
    },
    exists: async (name) => (await list(name)).includes(name),
    async seal(database, name) {
      await send(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`);
      await send(`ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(name)}`);
    },
    async alone(name, work) {
      const client = await holdLock(server, name);
      try {
        await work();
      } finally {
        await client.end();
      }
    },
    async close() {
      keepAlive(holder, true);
      for (const name of await list(run)) await drop(name);
      await pool.end();
      await holder.end();
    },
  };
}

/** Milliseconds: connections that pg is closing are gone after some. */
const LEAVING_MS = 100;

/**
 * Waits for connections that are being closed: `end()` of pg resolves before the server has ended the session, and a
 * session that DROP DATABASE terminates then is an error that the application cannot catch.
 */
async function untilLeft(pool: Pool, database: string): Promise<void> {
  const until = performance.now() + LEAVING_MS;
  do {
    const { rowCount } = await pool.query('SELECT FROM pg_stat_activity WHERE datname = $1', [database]);
    if (rowCount === 0) return;
    await sleep(5);
  } while (performance.now() < until);
}

/** A session of its own that holds an advisory lock. */
async function holdLock(server: ServerSettings, name: string): Promise<Client> {
  const client = new Client(clientConfig(server));
  client.on('error', () => {});
  await client.connect().catch((error: unknown) => {
    throw toConnectionError(error, server);
  });
  // A template takes as long as it takes, and a test may be debugged.
  await client.query(`SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('lock_timeout', 'statement_timeout', 'idle_session_timeout')`);
  await client.query(`SELECT pg_advisory_lock(${lockKey(literal(name))})`);
  return client;
}

async function readFacts(pool: Pool): Promise<{ readonly major: number; readonly isCareless: boolean }> {
  const { rows } = await pool.query<{ number: number; fsync: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('fsync') AS fsync`,
  );
  return { major: Math.floor((rows[0]?.number ?? 0) / 10_000), isCareless: rows[0]?.fsync === 'off' };
}

/** Drops databases of runs that hold their lock no longer. */
async function dropLeftovers(
  pool: Pool,
  databases: readonly string[],
  own: string,
  drop: (name: string) => Promise<void>,
): Promise<void> {
  const runs = new Set(databases.map((name) => name.replace(/_\d+$/, '')).filter((run) => run !== own));
  for (const run of runs) {
    const client = await pool.connect();
    try {
      if (await tryLock(client, run)) {
        // Another process may drop the same ones.
        for (const name of databases.filter((each) => each.startsWith(`${run}_`)))
          await drop(name).catch(() => {});
        await client.query(`SELECT pg_advisory_unlock(${lockKey(literal(run))})`);
      }
    } finally {
      client.release();
    }
  }
}

async function tryLock(client: ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ got: boolean }>(
    `SELECT pg_try_advisory_lock(${lockKey(literal(name))}) AS got`,
  );
  return rows[0]?.got === true;
}

/** DROP DATABASE … WITH (FORCE), for servers that lack it: new connections may come in between. */
async function dropByHand(pool: Pool, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    await pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    try {
      await pool.query(`DROP DATABASE IF EXISTS ${identifier(name)}`);
      return;
    } catch (error) {
      if (tries === 20) throw toDatabaseError(error);
      await sleep(100);
    }
  }
}

function rightsMissing({ user }: ServerSettings, error: unknown): TenantctlError | undefined {
  const { sqlstate, message } = toDatabaseError(error);
  if (sqlstate !== '42501') return undefined;
  return new TenantctlError('RIGHTS_MISSING', `Test databases cannot be made: ${message}.`, {
    sqlstate,
    hint: `As a superuser: ALTER ROLE ${identifier(user)} CREATEDB`,
    cause: error,
  });
}

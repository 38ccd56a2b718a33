import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { wideTables } from '../fleet/wide-migration.ts';
import type { BenchTenant } from '../fleet/tenants.ts';
import { median } from '../report/median.ts';
import { withConnection } from '../server/connection.ts';
import type { BenchServer } from '../server/server.ts';

/** Rows and bytes of a database, by the names of TOTALS. */
export async function countCatalogs(url: string) {
  const figures = await numbers<
    | 'relations'
    | 'attributes'
    | 'depends'
    | 'constraints'
    | 'indexes'
    | 'types'
    | 'catalogBytes'
    | 'emptyBytes'
    | 'stateBytes'
    | 'files'
  >(
    url,
    `SELECT (SELECT count(*) FROM pg_class) AS relations,
            (SELECT count(*) FROM pg_attribute) AS attributes,
            (SELECT count(*) FROM pg_depend) AS depends,
            (SELECT count(*) FROM pg_constraint) AS constraints,
            (SELECT count(*) FROM pg_index) AS indexes,
            (SELECT count(*) FROM pg_type) AS types,
            sum(size) FILTER (WHERE nspname = 'pg_catalog') AS "catalogBytes",
            sum(size) FILTER (WHERE nspname LIKE 'tid\\_%') AS "emptyBytes",
            sum(size) FILTER (WHERE nspname = 'tenantctl') AS "stateBytes",
            (SELECT count(*) FROM pg_database, pg_ls_dir('base/' || oid)
             WHERE datname = current_database()) AS files
     FROM (SELECT nspname, pg_total_relation_size(c.oid) AS size
           FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE relkind IN ('r', 'S') AND NOT relisshared) sizes`,
  );
  return figures;
}

export interface Position {
  readonly wal: number;
  readonly xids: number;
}

/** Bytes of WAL and transaction ids so far. */
export function position(url: string): Promise<Position> {
  return numbers<'wal' | 'xids'>(
    url,
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal,
            txid_snapshot_xmax(txid_current_snapshot()) AS xids`,
  );
}

async function numbers<Name extends string>(url: string, sql: string): Promise<Record<Name, number>> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<Record<Name, string | null>>(sql);
    const entries = Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value ?? 0)]);
    return Object.fromEntries(entries) as Record<Name, number>;
  });
}

/** What a backend remembers of a tenant that it has read each table of, in bytes. */
export async function backendMemory(
  url: string,
  tenants: readonly BenchTenant[],
  tables: number,
): Promise<number> {
  return withConnection(url, async (client) => {
    const few = Math.ceil(tenants.length / 10);
    await readEach(client, tenants.slice(0, few), tables);
    const before = await contextBytes(client);
    await readEach(client, tenants.slice(few), tables);
    return ((await contextBytes(client)) - before) / Math.max(1, tenants.length - few);
  });
}

async function readEach(client: Client, tenants: readonly BenchTenant[], tables: number): Promise<void> {
  for (const { schema } of tenants)
    await client.query(
      Array.from({ length: tables }, (_, at) => `SELECT * FROM ${schema}.wide_${at} WHERE id = 1`).join(';'),
    );
}

async function contextBytes(client: Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    'SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts',
  );
  return Number(rows[0]?.bytes);
}

/** The locks that a transaction holds that creates a tenant's tables. */
export async function locksOfCreation(url: string, tables: number): Promise<number> {
  return withConnection(url, async (client) => {
    await client.query('BEGIN; CREATE SCHEMA counted; SET LOCAL search_path TO counted');
    await client.query(wideTables(tables));
    const { rows } = await client.query<{ locks: number }>(
      'SELECT count(*)::int AS locks FROM pg_locks WHERE pid = pg_backend_pid()',
    );
    await client.query('ROLLBACK');
    return rows[0]?.locks ?? 0;
  });
}

const LOCKED_AT_ONCE = 100;
const MOST_LOCKS = 1_000_000;

/** How many locks a transaction can take, as pg_dump does for tables, until shared memory is full. */
export async function lockable(url: string): Promise<number> {
  return withConnection(url, async (client) => {
    await client.query('BEGIN');
    let locked = 0;
    for (; locked < MOST_LOCKS; locked += LOCKED_AT_ONCE) {
      const isFull = await client
        .query(
          `SELECT pg_advisory_xact_lock(n) FROM generate_series($1::int + 1, $1 + ${LOCKED_AT_ONCE}) n`,
          [locked],
        )
        .then(
          () => false,
          (error: { code?: string }) => error.code === '53200',
        );
      if (isFull) break;
    }
    await client.query('ROLLBACK');
    return locked;
  });
}

const PASSES = 3;

/**
 * CPU time of a worker of autovacuum that looks through a database and finds nothing to do; NaN without /proc, or if
 * none came within that time.
 */
export async function autovacuumPass(server: BenchServer, database: string, waitMs: number): Promise<number> {
  if (process.platform !== 'linux') return Number.NaN;
  const passes = new Map<string, number>();
  const started = performance.now();
  await configure(server.url, { autovacuum: 'on', autovacuum_naptime: '1s' });
  // The first passes may have something to do.
  while (passes.size < PASSES + 2 && performance.now() - started < waitMs) {
    for (const pid of await children(server.postmasterPid))
      if ((await textOf(`/proc/${pid}/cmdline`)).startsWith(`postgres: autovacuum worker ${database}`))
        passes.set(pid, Number((await textOf(`/proc/${pid}/schedstat`)).split(' ')[0] ?? 0) / 1e6);
    await sleep(1);
  }
  await configure(server.url, { autovacuum: 'off', autovacuum_naptime: '1min' });
  return median([...passes.values()].slice(-PASSES - 1, -1));
}

export async function configure(url: string, settings: Readonly<Record<string, string>>): Promise<void> {
  await withConnection(url, async (client) => {
    for (const [name, value] of Object.entries(settings))
      await client.query(`ALTER SYSTEM SET ${name} = '${value}'`);
    await client.query('SELECT pg_reload_conf()');
  });
}

async function children(pid: number): Promise<string[]> {
  return (await textOf(`/proc/${pid}/task/${pid}/children`)).split(' ').filter((each) => each !== '');
}

/** Empty if the process has ended. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

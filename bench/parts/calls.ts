import { Pool } from 'pg';
import { openTenants, type Tenants } from '../../src/app/tenants.ts';
import { FIFTY_ORGANIZATIONS, mixCalls, whoFleet } from '../../test/support/mixed-calls.ts';
import { findPgBouncer, launchPgBouncer } from '../../test/support/pgbouncer-program.ts';
import type { Bench } from '../bench.ts';
import type { Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { databaseUrl, withConnection } from '../server/connection.ts';
import { countTraffic } from '../wire/wire.ts';

const DATABASE = 'bench_calls';
/** Transactions that are timed, of each kind, in turn. */
const TIMED = 2000;
const WARM_UP = 200;

/** Calls of openTenants: what they cost beside a transaction by hand, and whether any reads another tenant's row. */
export async function measureCalls(bench: Bench): Promise<PartResult> {
  await withConnection(bench.server.url, (client) => client.query(`CREATE DATABASE ${DATABASE}`));
  const url = databaseUrl(bench.server.url, DATABASE);
  await withConnection(url, (client) => client.query(whoFleet(FIFTY_ORGANIZATIONS)));
  const findings = [...(await measureTime(url)), ...(await measureRoundTrips(url))];
  const wrong: Finding[] = [];
  const notes: string[] = [];
  wrong.push(await countWrong(bench, url, 'direct'));
  if ((await findPgBouncer()) === undefined)
    notes.push('There is no PgBouncer on this machine: measured without.');
  else {
    const { hostname, port, username, password } = new URL(url);
    const server = { host: hostname, port: Number(port), user: username, password };
    const pooler = await launchPgBouncer(server, { size: 4, lines: ['server_round_robin = 1'] });
    const through = new URL(url);
    through.host = `127.0.0.1:${pooler.port}`;
    try {
      wrong.push(await countWrong(bench, through.href, 'through PgBouncer in transaction mode'));
    } finally {
      await pooler.remove();
    }
  }
  await withConnection(bench.server.url, (client) => client.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`));
  return { measurements: [], findings: [...findings, ...wrong], notes };
}

async function measureTime(url: string): Promise<Finding[]> {
  return withPool(url, 1, async (pool, tenants) => {
    const byHand: number[] = [];
    const calls: number[] = [];
    for (let at = 0; at < WARM_UP + TIMED; at += 1) {
      const org = FIFTY_ORGANIZATIONS[at % FIFTY_ORGANIZATIONS.length] ?? '';
      byHand.push(await timeOf(() => transactionByHand(pool, org)));
      calls.push(await timeOf(() => call(tenants, org)));
    }
    const more = calls.map((ms, at) => ms - (byHand[at] ?? 0)).slice(WARM_UP);
    const title = 'a call that reads one row';
    return [
      { what: `${title}: median of ${TIMED}`, value: median(calls.slice(WARM_UP)), unit: 'ms' },
      { what: 'the same transaction by hand: median', value: median(byHand.slice(WARM_UP)), unit: 'ms' },
      {
        what: `${title}: more than by hand, median of the differences`,
        value: median(more),
        unit: 'ms',
        bar: { kind: 'at most', limit: 0.3 },
      },
    ];
  });
}

async function measureRoundTrips(url: string): Promise<Finding[]> {
  const [org = ''] = FIFTY_ORGANIZATIONS;
  const count = (times: number, one: (pool: Pool, tenants: Tenants) => Promise<unknown>) =>
    countTraffic(url, (through) =>
      withPool(through, 1, async (pool, tenants) => {
        for (let time = 0; time < times; time += 1) await one(pool, tenants);
      }),
    );
  /** Two less one: what begins a connection counts in both. */
  const each = async (one: (pool: Pool, tenants: Tenants) => Promise<unknown>) =>
    (await count(2, one)).roundTrips - (await count(1, one)).roundTrips;
  const byHand = await each((pool) => transactionByHand(pool, org));
  const calls = await each((_, tenants) => call(tenants, org));
  return [
    {
      what: 'round trips of a call, more than of a transaction by hand',
      value: calls - byHand,
      unit: '',
      isCount: true,
      bar: { kind: 'at most', limit: 1 },
    },
  ];
}

async function countWrong({ settings, say }: Bench, url: string, way: string): Promise<Finding> {
  const { calls } = settings;
  const wrong = await withPool(url, 10, (_, tenants) =>
    mixCalls(tenants, FIFTY_ORGANIZATIONS, { calls, concurrency: 16 }),
  );
  for (const line of wrong.slice(0, 10)) say(line);
  return {
    what: `${calls.toLocaleString('en-US')} calls over 50 tenants with errors, cancels, timeouts and savepoints, ${way}: wrong ones`,
    value: wrong.length,
    unit: '',
    isCount: true,
    bar: { kind: 'at most', limit: 0 },
  };
}

async function withPool<T>(
  url: string,
  max: number,
  use: (pool: Pool, tenants: Tenants) => Promise<T>,
): Promise<T> {
  const pool = new Pool({ connectionString: url, max });
  try {
    return await use(pool, openTenants(pool));
  } finally {
    await pool.end();
  }
}

function call(tenants: Tenants, org: string) {
  return tenants.run(org, (client) => client.query('SELECT org FROM who'));
}

async function transactionByHand(pool: Pool, org: string): Promise<void> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(`SET LOCAL search_path TO "s_${org}", public`);
  await client.query('SELECT org FROM who');
  await client.query('COMMIT');
  client.release();
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

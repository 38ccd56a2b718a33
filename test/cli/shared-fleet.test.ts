import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCli, type CliResult } from '../support/cli.ts';
import { buildBigFleet } from '../support/big-fleet.ts';
import { until } from '../support/gate.ts';
import { INIT_SQL } from '../support/init-sql.ts';
import { createTable, knexMigration } from '../support/project.ts';
import { standingFleet, type StandingFleet } from '../support/standing-fleet.ts';

const TENANTS = 300;
const FIRST = '20250101000001_notes.sql';

let standing: StandingFleet;

/** One fleet for the whole file: each test adds migrations of its own. */
beforeAll(async () => {
  standing = await standingFleet([], {
    'package.json': '{"type":"module"}',
    'migrations/master/20250101000000_init_db.sql': INIT_SQL,
    [`migrations/tenants/${FIRST}`]: createTable('notes'),
  });
  const { url } = standing.fleet.testDatabase;
  await buildBigFleet(url, TENANTS, { name: FIRST, table: 'notes' });
  await standing.fleet.migrate();
}, 120_000);

afterAll(() => standing.close());

interface Document {
  readonly ok: boolean;
  readonly totals: Readonly<
    Record<'selected' | 'upToDate' | 'migrated' | 'rolledBack' | 'failed' | 'skipped', number>
  >;
  readonly fleet: Readonly<Record<'total' | 'upToDate' | 'behind' | 'failed', number>>;
  readonly shared: boolean;
}

/** Starts so many processes with the same command at once. */
function start(count: number, ...command: string[]) {
  const { project, testDatabase } = standing.fleet;
  return Array.from({ length: count }, () =>
    startCli([...command, '--json', '--quiet'], { cwd: project.folder, env: testDatabase.env }),
  );
}

function documents(results: readonly CliResult[]): Document[] {
  return results.map((result) => {
    const document = result.json<Document>();
    expect(document).toMatchObject({ ok: true });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    return document;
  });
}

function sum(documents: readonly Document[], key: keyof Document['totals']): number {
  return documents.reduce((total, { totals }) => total + totals[key], 0);
}

/** How often each migration stands in the histories of the fleet, and how many tables of a name there are. */
async function recorded(
  name: string,
  table: string,
): Promise<{ rows: number; tenants: number; tables: number }> {
  const client = new Client({ connectionString: standing.fleet.testDatabase.url });
  await client.connect();
  try {
    const schemas = await client.query<{ schema: string }>('SELECT schema_name AS schema FROM tenants');
    const text = schemas.rows
      .map(({ schema }) => `(SELECT count(*) FROM ${schema}.knex_migrations_tenant WHERE name = '${name}')`)
      .join(', ');
    const counts = await client.query<{ n: number }>(`SELECT unnest(ARRAY[${text}])::int AS n`);
    const tables = await client.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM pg_tables WHERE tablename = $1',
      [table],
    );
    const numbers = counts.rows.map(({ n }) => n);
    return {
      rows: numbers.reduce((total, n) => total + n, 0),
      tenants: numbers.filter((n) => n > 0).length,
      tables: tables.rows[0]?.n ?? 0,
    };
  } finally {
    await client.end();
  }
}

const EVERYWHERE = { rows: TENANTS, tenants: TENANTS, tables: TENANTS };

test('eight processes share a fleet: each tenant is migrated once, and each process reports its part and the total', async () => {
  await standing.fleet.add('20250101000002_links.sql', createTable('links'));

  const done = documents(await Promise.all(start(8, 'migrate', 'tenants').map((child) => child.done)));

  expect(sum(done, 'migrated')).toBe(TENANTS);
  expect(done.some(({ shared }) => shared)).toBe(true);
  expect(sum(done, 'failed') + sum(done, 'skipped')).toBe(0);
  for (const { totals, fleet } of done) {
    expect(totals.selected).toBe(TENANTS);
    expect(totals.upToDate + totals.migrated).toBe(TENANTS);
    // Whoever ends first has nothing to wait for but what others hold; then all are up to date.
    expect(fleet).toEqual({
      total: TENANTS,
      upToDate: TENANTS,
      behind: 0,
      failed: 0,
      notActive: 0,
      broken: 0,
    });
  }
  expect(await recorded('20250101000002_links.sql', 'links')).toEqual(EVERYWHERE);
}, 120_000);

test('the tenants of a killed process are migrated by the others', async () => {
  await standing.fleet.add(
    '20250101000003_marks.js',
    // Reading an answer keeps it interactive, so that the killed process has transactions open.
    knexMigration(
      `await knex.raw('CREATE TABLE marks ()'); const { rows } = await knex.raw('SELECT 1 AS one'); if (rows[0].one !== 1) throw new Error('no');`,
      `await knex.raw('DROP TABLE marks');`,
    ),
  );

  const [victim, ...others] = start(4, 'migrate', 'tenants');
  await until(async () => {
    const [row] = await standing.fleet.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_tables WHERE tablename = 'marks'`,
    );
    return (row?.n ?? 0) > 40;
  }, 'the work to be in full swing');
  victim?.kill('SIGKILL');
  await victim?.done;
  const done = documents(await Promise.all(others.map((child) => child.done)));

  expect(sum(done, 'failed') + sum(done, 'skipped')).toBe(0);
  for (const { fleet } of done)
    expect(fleet).toEqual({
      total: TENANTS,
      upToDate: TENANTS,
      behind: 0,
      failed: 0,
      notActive: 0,
      broken: 0,
    });
  expect(await recorded('20250101000003_marks.js', 'marks')).toEqual(EVERYWHERE);
}, 120_000);

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { benchTenants } from '../fleet/tenants.ts';
import { median } from '../report/median.ts';
import { migrateTenants } from '../rivals/tenantctl.ts';
import { withConnection } from '../server/connection.ts';
import { withServer } from '../server/server.ts';
import { countTraffic } from '../wire/wire.ts';
import type { MachineFigures, ScaleFleet, ScaleMeasurements } from './figures.ts';
import {
  addMigration,
  backup,
  buildFleet,
  measureFleet,
  organizations,
  type BuiltFleet,
  type FleetSize,
} from './measure-fleet.ts';
import { configure, lockable } from './server-figures.ts';

/** Builds and measures fleets, the smaller ones first. `keep` gets what is known after each. */
export async function measureScale(
  sizes: readonly FleetSize[],
  say: (line: string) => void,
  keep: (known: ScaleMeasurements) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'tenantctl-scale-'));
  try {
    await withServer(async (server) => {
      await configure(server.url, { autovacuum: 'off' });
      const fleets: ScaleFleet[] = [];
      const flushes: number[] = [];
      let small: Omit<MachineFigures, 'fileFlushMs'> | undefined;
      for (const size of sizes.toSorted((a, b) => a.tenants - b.tenants || a.tables - b.tables)) {
        say(`building ${size.tenants} tenants with ${size.tables} tables each`);
        const fleet = await buildFleet(server, root, size);
        say('measuring it');
        const { fileFlushMs, ...figures } = await measureFleet(fleet);
        fleets.push(figures);
        flushes.push(fileFlushMs);
        small ??= await measureSmall(fleet);
        await keep({
          date: new Date().toISOString().slice(0, 10),
          cores: availableParallelism(),
          memoryGb: Math.round(totalmem() / 2 ** 30),
          node: process.versions.node,
          server: server.version,
          machine: { ...small, fileFlushMs: median(flushes) },
          fleets,
        });
      }
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** What any fleet shows: a smallest one is enough. */
async function measureSmall(fleet: BuiltFleet): Promise<Omit<MachineFigures, 'fileFlushMs'>> {
  const { url, folder, tenants } = fleet;
  await addMigration(fleet, 3);
  const { roundTrips } = await countTraffic(url, (through) =>
    migrateTenants({ url: through, folder, expect: { migrated: tenants } }),
  );
  return {
    flushMs: await commitTime(url),
    lockable: await lockable(url),
    addTrips: roundTrips / tenants,
    ...(await measureRows(fleet)),
  };
}

const COMMITS = 200;

/** What a commit takes longer than a query: its WAL is flushed. */
async function commitTime(url: string): Promise<number> {
  return withConnection(url, async (client) => {
    await client.query('CREATE TABLE commits (id int)');
    const [queries, commits]: number[][] = [[], []];
    for (let at = 0; at < COMMITS; at += 1) {
      queries?.push(await timed(() => client.query('SELECT 1')));
      commits?.push(await timed(() => client.query('INSERT INTO commits VALUES (1)')));
    }
    return Math.max(0, median(commits ?? []) - median(queries ?? []));
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const ROWS = 100_000;

/** What a backup takes longer for a tenant with rows, for each MB of its table. */
async function measureRows(
  fleet: BuiltFleet,
): Promise<Pick<MachineFigures, 'backupClientMsPerMb' | 'backupServerMsPerMb'>> {
  const [tenant] = benchTenants(1);
  const table = `${tenant?.schema}.wide_0`;
  const empty = await backup(fleet, organizations(0, 1));
  const megabytes = await withConnection(fleet.url, async (client) => {
    await client.query(
      `INSERT INTO ${table} (code, name, details)
       SELECT md5(n::text), md5((n * 7)::text), jsonb_build_object('n', n, 'text', repeat(md5((n * 3)::text), 3))
       FROM generate_series(1, ${ROWS}) n`,
    );
    await client.query(`VACUUM (ANALYZE) ${table}`);
    const { rows } = await client.query<{ bytes: string }>(`SELECT pg_table_size('${table}') AS bytes`);
    return Number(rows[0]?.bytes) / 1e6;
  });
  const full = await backup(fleet, organizations(0, 1));
  return {
    backupClientMsPerMb: (full.client - empty.client) / megabytes,
    backupServerMsPerMb: (full.server - empty.server) / megabytes,
  };
}

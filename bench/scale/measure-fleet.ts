import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INIT_SQL } from '../../test/support/init-sql.ts';
import { runNode } from '../child.ts';
import { tidyCatalogs } from '../fleet/fleets.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { wideMigration } from '../fleet/wide-migration.ts';
import { provision, TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { databaseUrl, withConnection } from '../server/connection.ts';
import { withServerCpu } from '../server/server-cpu.ts';
import { settle, withoutFsync, type BenchServer } from '../server/server.ts';
import { countTraffic } from '../wire/wire.ts';
import type { EachName, ScaleFleet, TotalName } from './figures.ts';
import { autovacuumPass, backendMemory, countCatalogs, locksOfCreation, position } from './server-figures.ts';

export interface FleetSize {
  readonly tenants: number;
  readonly tables: number;
}

/** A built fleet: its database, and the project folder. */
export interface BuiltFleet extends FleetSize {
  readonly server: BenchServer;
  readonly name: string;
  readonly url: string;
  readonly folder: string;
  /** How many tenants are provisioned or backed up to see what one more costs: few, then more. */
  readonly samples: readonly [number, number];
}

/** Provisions a fleet with fsync off, without the tenants that `measureEach` provisions. */
export async function buildFleet(
  server: BenchServer,
  root: string,
  { tenants, tables }: FleetSize,
): Promise<BuiltFleet> {
  const name = `scale_${tenants}_${tables}`;
  const folder = join(root, name);
  const [master, own] = [join(folder, 'migrations/master'), join(folder, 'migrations/tenants')];
  for (const each of [master, own]) await mkdir(each, { recursive: true });
  await writeFile(join(master, '20260101000000_init_db.sql'), INIT_SQL);
  await writeFile(join(own, '20260101000001_wide.sql'), wideMigration(tables));
  await withConnection(server.url, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = databaseUrl(server.url, name);
  await run({ url, folder }, 'migrate', 'master');
  const few = Math.max(1, Math.floor(tenants / 20));
  const samples = [Math.min(10, few), Math.min(60, few * 4)] as const;
  const first = tenants - samples[0] - samples[1];
  await withoutFsync(server, () => provision(url, folder, organizations(0, first)));
  return { server, name, url, folder, tenants, tables, samples };
}

/** Measures everything there is to know about one fleet. */
export async function measureFleet(
  fleet: BuiltFleet,
): Promise<ScaleFleet & { readonly fileFlushMs: number }> {
  const { url, tenants, tables, server, name } = fleet;
  const { each: provisioned, fileFlushMs } = await measureProvisioning(fleet);
  await tidyCatalogs(url);
  const each = { ...provisioned, ...(await measureOthers(fleet)) };
  const counted = await countCatalogs(url);
  const noOp = await measureCommand(fleet, 'migrate', 'tenants');
  const status = await measureCommand(fleet, 'status');
  const drift = await measureCommand(fleet, 'drift');
  const autovacuum = await autovacuumPass(server, name, tenants < 100 ? 5_000 : 30_000);
  await addMigration(fleet, 2);
  const before = await position(url);
  const add = await measureCommand(fleet, 'migrate', 'tenants');
  const after = await position(url);
  const totals: Record<TotalName, number> = {
    ...counted,
    noOpClient: noOp.client,
    noOpServer: noOp.server,
    noOpRss: noOp.rss,
    statusClient: status.client,
    statusServer: status.server,
    addClient: add.client,
    addServer: add.server,
    addWal: after.wal - before.wal,
    addState: (await countCatalogs(url)).stateBytes - counted.stateBytes,
    addXids: after.xids - before.xids,
    driftClient: drift.client,
    driftServer: drift.server,
    autovacuum,
  };
  const seconds = {
    noOp: noOp.seconds,
    status: status.seconds,
    add: add.seconds,
    drift: drift.seconds,
  };
  return { tenants, tables, totals, each, seconds, fileFlushMs };
}

/** Another migration of one ALTER TABLE. */
export async function addMigration({ folder }: BuiltFleet, number: number): Promise<void> {
  await writeFile(
    join(folder, `migrations/tenants/2026010100000${number}_add.sql`),
    `-- migrate:up\nALTER TABLE wide_0 ADD COLUMN added_${number} text;\n`,
  );
}

interface Cost {
  readonly client: number;
  readonly server: number;
  readonly rss: number;
  readonly seconds: number;
}

/** A command over the whole fleet. */
async function measureCommand(fleet: BuiltFleet, ...command: readonly string[]): Promise<Cost> {
  await settle(fleet.server);
  const { result, serverCpuMs = Number.NaN } = await withServerCpu(fleet.server, () =>
    run(fleet, ...command),
  );
  return { client: result.cpuMs, server: serverCpuMs, rss: result.maxRssBytes, seconds: result.ms / 1000 };
}

function run({ url, folder }: Pick<BuiltFleet, 'url' | 'folder'>, ...command: readonly string[]) {
  return runNode([TENANTCTL, ...command, '--json', '--quiet'], { cwd: folder, env: tenantctlEnv(url) });
}

/** What one more tenant costs: the difference between provisioning few and more. */
async function measureProvisioning(fleet: BuiltFleet) {
  const { server, url, folder, tenants, tables, samples } = fleet;
  const [few, more] = samples;
  const costs = [];
  let flushed = 0;
  for (const [from, to] of [
    [tenants - few - more, tenants - more],
    [tenants - more, tenants],
  ] as const) {
    await settle(server);
    const before = await position(url);
    let client = 0;
    let trips = 0;
    const { serverCpuMs = Number.NaN } = await withServerCpu(server, async () => {
      const traffic = await countTraffic(url, async (through) => {
        client = (await provision(through, folder, organizations(from, to))).cpuMs ?? Number.NaN;
      });
      trips = traffic.roundTrips;
    });
    const after = await position(url);
    const started = performance.now();
    await settle(server);
    flushed = performance.now() - started;
    costs.push({ client, server: serverCpuMs, trips, wal: after.wal - before.wal });
  }
  const files = (await countCatalogs(url)).files / tenants;
  return {
    each: {
      provisionClient: perTenant(costs, 'client', samples),
      provisionServer: perTenant(costs, 'server', samples),
      provisionTrips: perTenant(costs, 'trips', samples),
      provisionWal: perTenant(costs, 'wal', samples),
      provisionLocks: await locksOfCreation(url, tables),
    },
    fileFlushMs: flushed / (more * files),
  };
}

type Measured<Names extends EachName> = Promise<Pick<Record<EachName, number>, Names>>;

async function measureOthers(
  fleet: BuiltFleet,
): Measured<'backupClient' | 'backupServer' | 'backupTrips' | 'backendBytes' | 'freeze'> {
  const { server, url, tables, samples } = fleet;
  const costs = [];
  for (const count of samples) {
    let cost: Cost | undefined;
    const { roundTrips } = await countTraffic(url, async (through) => {
      cost = await backup({ ...fleet, url: through }, organizations(0, count));
    });
    costs.push({ client: cost?.client ?? 0, server: cost?.server ?? 0, trips: roundTrips });
  }
  const some = benchTenants(Math.min(200, fleet.tenants));
  const frozen = some.slice(0, 50);
  const names = frozen.flatMap(({ schema }) =>
    Array.from({ length: tables }, (_, at) => `${schema}.wide_${at}`),
  );
  const { serverCpuMs = Number.NaN } = await withServerCpu(server, () =>
    withConnection(url, (client) => client.query(`VACUUM (FREEZE) ${names.join(', ')}`)),
  );
  return {
    backupClient: perTenant(costs, 'client', samples),
    backupServer: perTenant(costs, 'server', samples),
    backupTrips: perTenant(costs, 'trips', samples),
    backendBytes: await backendMemory(url, some, tables),
    freeze: serverCpuMs / frozen.length,
  };
}

/** Backs tenants up into a new folder. */
export function backup(fleet: BuiltFleet, tenants: readonly string[]): Promise<Cost> {
  const out = join(fleet.folder, `backups-${tenants.length}`);
  return measureCommand(fleet, 'tenant', 'backup', ...tenants, '--out', out);
}

function perTenant<Name extends string>(
  costs: readonly Readonly<Record<Name, number>>[],
  name: Name,
  [few, more]: readonly [number, number],
): number {
  const [small, large] = costs.map((cost) => cost[name]);
  return Math.max(0, (large ?? Number.NaN) - (small ?? Number.NaN)) / Math.max(1, more - few);
}

export function organizations(from: number, to: number): string[] {
  return benchTenants(to)
    .slice(from)
    .map(({ organization }) => organization);
}

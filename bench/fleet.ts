import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { startPostgres } from '../test/support/postgres-programs.ts';
import { withConnection } from './fleet-database.ts';
import { describeMachine, render, toReport, type Report } from './report.ts';
import { knexPerTenant, psql, psqlVersion, tenantctl } from './rivals.ts';
import { runRound, type Measurement } from './round.ts';
import { measureStartUp } from './start-up.ts';
import { layWire } from './wire.ts';

interface Flags {
  readonly tenants: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly roundTripMs?: number;
  readonly json: string;
}

const START_UPS = 20;

const program = new Command('bench')
  .description('tenantctl beside one Knex instance per tenant, and beside psql as the limit.')
  .option('--tenants <n>', 'size of the fleet', positive, 500)
  .option('--concurrency <n>', 'tenants at once', positive, 4)
  .option('--rounds <n>', 'how often everything is measured', positive, 3)
  .option(
    '--round-trip-ms <n>',
    'imitate a network of that round trip, and count the round trips',
    notNegative,
  )
  .option('--json <file>', 'where every figure is written', '.bench/fleet.json')
  .action(async (flags: Flags) => {
    const report = await measure(flags);
    await mkdir(dirname(flags.json), { recursive: true });
    await writeFile(flags.json, `${JSON.stringify(report, null, 2)}\n`);
    console.log(render(report));
    console.error(`\nEvery figure: ${flags.json}`);
  });
await program.parseAsync();

/** Has a PostgreSQL of its own, with the settings that PostgreSQL itself has: fsync is on. */
async function measure(flags: Flags): Promise<Report> {
  const { tenants, concurrency, rounds, roundTripMs = null } = flags;
  const version = await psqlVersion();
  if (version === undefined) console.error('No psql on the PATH: the limit is left out.');
  console.error(`tenantctl --help and node -e 0, ${START_UPS} times each`);
  const startUp = await measureStartUp(START_UPS);
  const server = await startPostgres({ settings: [] });
  const wire = roundTripMs === null ? undefined : await layWire(server.url, roundTripMs);
  try {
    const measurements: Measurement[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      await runRound({
        round,
        serverUrl: server.url,
        rivals: version === undefined ? [tenantctl, knexPerTenant] : [tenantctl, knexPerTenant, psql],
        tenants,
        concurrency,
        wire,
        onMeasured(measurement) {
          measurements.push(measurement);
          const { work, rival, ms } = measurement;
          console.error(`round ${round} of ${rounds}: ${work}, ${rival}: ${(ms / 1000).toFixed(2)} s`);
        },
      });
    }
    const machine = describeMachine(await serverVersion(server.url), version);
    return toReport({ machine, tenants, concurrency, rounds, roundTripMs, measurements, startUp });
  } finally {
    await wire?.close();
    await server.stop();
  }
}

async function serverVersion(url: string): Promise<string> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<{ version: string; fsync: string }>(
      `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync`,
    );
    if (rows[0]?.fsync !== 'on') throw new Error('a benchmark needs fsync on');
    return rows[0].version;
  });
}

function positive(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It is no whole number above 0.');
  return Number(text);
}

function notNegative(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It is no number.');
  return Number(text);
}

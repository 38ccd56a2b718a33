import { deepStrictEqual } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.ts';
import { countExchanges, type Wire } from './wire.ts';
import {
  databaseUrl,
  expectedCensus,
  fleetSchemas,
  prepareFleet,
  takeCensus,
  withConnection,
} from './fleet-database.ts';
import { tenantctlEnv, type Rival, type WorkName } from './rivals.ts';
import { ADD, INIT, writeProject } from './work.ts';

/** One rival doing one piece of work once. */
export interface Measurement {
  readonly round: number;
  readonly work: WorkName;
  readonly rival: Rival['name'];
  readonly ms: number;
  /** Round trips to the server, all connections together; counted only where the wire is watched. */
  readonly exchanges?: number;
}

export interface RoundOptions {
  readonly round: number;
  readonly serverUrl: string;
  readonly rivals: readonly Rival[];
  readonly tenants: number;
  readonly concurrency: number;
  /** What the rivals reach the server through; directly where absent. */
  readonly wire?: Wire | undefined;
  readonly onMeasured: (measurement: Measurement) => void;
}

const PROGRAM = fileURLToPath(new URL('../bin/tenantctl.js', import.meta.url));
const WORKS: readonly WorkName[] = ['init', 'add', 'no-op'];

/** A fresh fleet for each rival; then each piece of work by every rival in turn, another one first in each round. */
export async function runRound(options: RoundOptions): Promise<void> {
  const { round, serverUrl, tenants, concurrency, wire } = options;
  const schemas = fleetSchemas(tenants);
  const project = await mkdtemp(join(tmpdir(), 'tenantctl-bench-'));
  const database = (rival: Rival) => `bench_${round}_${rival.name}`;
  try {
    await writeProject(project, INIT);
    for (const rival of options.rivals) {
      await withConnection(serverUrl, (client) => client.query(`CREATE DATABASE ${database(rival)}`));
      const url = databaseUrl(serverUrl, database(rival));
      if (rival.name === 'tenantctl') {
        const args = [PROGRAM, 'migrate', 'master', '--json', '--quiet'];
        await runChild(process.execPath, args, { cwd: project, env: tenantctlEnv(url) });
      }
      await prepareFleet(url, schemas);
    }
    for (const [index, work] of WORKS.entries()) {
      if (work === 'add') await writeProject(project, [ADD]);
      for (const rival of rotated(options.rivals, round + index)) {
        if (work === 'no-op' && rival.skipsNoOp) continue;
        const url = databaseUrl(serverUrl, database(rival));
        // What the work before left to be written must not fall into this one's time.
        await withConnection(serverUrl, (client) => client.query('CHECKPOINT'));
        const through = databaseUrl(wire?.url ?? serverUrl, database(rival));
        const before = countExchanges(wire);
        const ms = await rival.run({ url: through, project, schemas, concurrency, work });
        const exchanges = countExchanges(wire) - before;
        deepStrictEqual(
          await takeCensus(url, schemas),
          expectedCensus(tenants, work === 'init' ? 'init' : 'add'),
          `${rival.name}, ${work}: the fleet does not hold what it should`,
        );
        options.onMeasured({ round, work, rival: rival.name, ms, ...(wire && { exchanges }) });
      }
    }
    for (const rival of options.rivals)
      await withConnection(serverUrl, (client) =>
        client.query(`DROP DATABASE ${database(rival)} WITH (FORCE)`),
      );
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

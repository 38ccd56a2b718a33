import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INIT_SQL } from '../../test/support/init-sql.ts';
import type { Bench } from '../bench.ts';
import { runNode } from '../child.ts';
import { tidyCatalogs } from '../fleet/fleets.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { wideMigration } from '../fleet/wide-migration.ts';
import { findingOf } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { provision, TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { watchBackends } from '../server/backend-memory.ts';
import { databaseUrl, withConnection } from '../server/connection.ts';
import { settle, withoutFsync } from '../server/server.ts';

const TABLES = 25;

/** `tenantctl drift` over tenants of 25 tables that are all alike. */
export async function measureDrift(bench: Bench): Promise<PartResult> {
  const { server, settings } = bench;
  const { newTenants: tenants, rounds } = settings;
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-bench-drift-'));
  try {
    const url = await withoutFsync(server, () => buildFleet(bench, folder));
    const [times, memory, backends]: number[][] = [[], [], []];
    for (let round = 1; round <= rounds; round += 1) {
      await settle(server);
      const grown = await watchBackends(server, url, async () => {
        const { ms, maxRssBytes } = await findDrift(url, folder, tenants);
        bench.say(`round ${round}: drift, ${tenants} tenants: ${(ms / 1000).toFixed(2)} s`);
        times?.push(ms / 1000);
        memory?.push(maxRssBytes / 1e6);
      });
      if (grown !== undefined) backends?.push(grown / 1e6);
    }
    const bar = { kind: 'at most', limit: 30, tenants: 1000 } as const;
    const largest = backends !== undefined && backends.length > 0 ? Math.max(...backends) : undefined;
    return {
      measurements: [],
      findings: [
        ...findingOf(median(times ?? []), { what: '`tenantctl drift`', tenants, unit: 's', bar }),
        ...findingOf(Math.max(...(memory ?? [])), {
          what: 'peak resident set size of the client',
          tenants,
          unit: 'MB',
        }),
        ...findingOf(largest, { what: 'growth of the largest backend', tenants, unit: 'MB' }),
      ],
      notes: [
        'Each tenant has 25 tables with 25 indexes, 25 unique keys and 24 foreign keys; all are alike.',
      ],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildFleet({ server, settings, say }: Bench, folder: string): Promise<string> {
  const name = 'drift';
  say(`building ${name}`);
  const [master, own] = ['migrations/master', 'migrations/tenants'].map((each) => join(folder, each));
  for (const each of [master, own]) await mkdir(each ?? '', { recursive: true });
  await writeFile(join(master ?? '', '20260101000000_init_db.sql'), INIT_SQL);
  await writeFile(join(own ?? '', '20260101000001_wide.sql'), wideMigration(TABLES));
  await withConnection(server.url, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = databaseUrl(server.url, name);
  await runNode([TENANTCTL, 'migrate', 'master', '--json', '--quiet'], {
    cwd: folder,
    env: tenantctlEnv(url),
  });
  const organizations = benchTenants(settings.newTenants).map(({ organization }) => organization);
  await provision(url, folder, organizations);
  await tidyCatalogs(url);
  return url;
}

/** @throws Error unless all tenants are alike */
async function findDrift(url: string, folder: string, tenants: number) {
  const { stdout, ...effort } = await runNode([TENANTCTL, 'drift', '--json', '--quiet'], {
    cwd: folder,
    env: tenantctlEnv(url),
  });
  const { totals } = JSON.parse(stdout) as { totals: { alike: number } };
  if (totals.alike !== tenants) throw new Error(`drift: ${JSON.stringify(totals)} of ${tenants} tenants`);
  return effort;
}

import { runNode } from '../child.ts';
import type { Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { findingOf, type Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { runPsqls } from '../rivals/psql.ts';
import { TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { withWarmFleet } from '../stage.ts';

/** Fewer rounds would measure the machine more than the programs. */
const TIMES = 5;

const QUERY = 'SELECT count(*) FROM org_users';

/** `tenantctl exec` compared with one psql that sends SET search_path and the query for each tenant. */
export async function measureExec(bench: Bench): Promise<PartResult> {
  const tenants = bench.settings.sharedTenants;
  const exec: number[] = [];
  const psql: number[] = [];
  const memory: number[] = [];
  await withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
    const script = fleet.tenants.map(({ schema }) => `SET search_path TO ${schema}, public;\n${QUERY};\n`);
    for (let time = 0; time < TIMES; time += 1) {
      if (bench.hasPsql) psql.push((await runPsqls(fleet.url, [script.join('')])).ms);
      const { ms, maxRssBytes, stdout } = await runNode(
        [TENANTCTL, 'exec', '--sql', QUERY, '--format', 'csv', '--quiet'],
        { env: tenantctlEnv(fleet.url) },
      );
      const lines = stdout.trimEnd().split('\n').length;
      if (lines !== tenants + 1) throw new Error(`exec wrote ${lines} lines for ${tenants} tenants`);
      exec.push(ms);
      memory.push(maxRssBytes / 1e6);
    }
  });
  const rest = { tenants, unit: 'ms' } as const;
  const beyond = exec.map((ms, at) => ms - (psql[at] ?? Number.NaN));
  const findings: Finding[] = [
    { what: `\`tenantctl exec\`: median of ${TIMES}`, value: median(exec), ...rest },
    ...findingOf(psql.length > 0 ? median(psql) : undefined, {
      what: `one psql: median of ${TIMES}`,
      ...rest,
    }),
    ...findingOf(psql.length > 0 ? median(beyond) : undefined, {
      what: 'difference to the psql that ran just before: median',
      ...rest,
      bar: { kind: 'at most', limit: 400, tenants: 2000 },
    }),
    {
      what: 'peak resident set size of `tenantctl exec`',
      tenants,
      value: Math.max(...memory),
      unit: 'MB',
      bar: { kind: 'at most', limit: 150 },
    },
  ];
  return {
    measurements: [],
    findings,
    notes: [
      `Both send \`${QUERY}\` to every tenant: exec with its default concurrency, start-up included; psql over one connection, after \`SET search_path\`.`,
    ],
  };
}

import { benchTenants, type BenchTenant } from '../fleet/tenants.ts';
import { withConnection } from '../server/connection.ts';
import { settle } from '../server/server.ts';
import type { FolderCost } from './folder-cost.ts';
import { messageOf, type Stage } from './folder-stage.ts';
import { scriptsFor, type Script } from './tenant-string.ts';

/** tenantctl has migrated this many tenants of the fleet before. */
const DONE_BEFORE = 3;
/** The first call of a process loads what the later ones use. */
const CALLS = 6;

/** One more tenant: by a program, and in a running process, where the calls after the first one count. */
export async function measureNewTenant(stage: Stage, script: Script | undefined): Promise<void> {
  for (let round = 0; round < stage.sizes.rounds; round += 1)
    await stage.fleets.withDone(DONE_BEFORE, async (url) => {
      await settle(stage.server);
      await addByTenantctl(stage, url, round === 0).catch((error: unknown) => {
        stage.differences.push(`new tenant: ${messageOf(error)}`);
      });
      await addByOthers(stage, url, script);
      stage.say(`round ${round + 1}: new tenants`);
    });
}

const ONE = { tenants: 1, concurrency: 1 } as const;

async function addByTenantctl(
  { programs, check, costs, differences }: Stage,
  url: string,
  isToBeCompared: boolean,
): Promise<void> {
  const added = someTenants(DONE_BEFORE, 1 + CALLS);
  const [first = '', ...others] = added.map(({ organization }) => organization);
  const { ms, cpuMs } = await programs.tenantctl(url, ['tenant', 'provision', first]);
  costs.push({ work: 'new tenant', program: 'tenantctl', ...ONE, ms, cpuMs });
  const calls = await programs.libraryCalls(url, others);
  costs.push(...calls.slice(1).map((call) => nextTenant('tenantctl', call)));
  if (!isToBeCompared) return;
  const found = await check.compare(
    'at once',
    url,
    added.map(({ schema }) => schema),
  );
  differences.push(...found.map((line) => `new tenant: ${line}`));
}

async function addByOthers(
  { programs, costs }: Stage,
  url: string,
  script: Script | undefined,
): Promise<void> {
  const schemas = someTenants(DONE_BEFORE + 1 + CALLS, 1 + 2 * CALLS).map(({ schema }) => schema);
  await withConnection(url, async (client) => {
    for (const schema of schemas) await client.query(`CREATE SCHEMA ${schema}`);
  });
  const { ms, cpuMs } = await programs.knex({ url, concurrency: 1, schemas: schemas.slice(0, 1) });
  costs.push({ work: 'new tenant', program: 'Knex', ...ONE, ms, cpuMs });
  const { calls } = await programs.knex({ url, concurrency: 1, schemas: schemas.slice(1, 1 + CALLS) });
  costs.push(...calls.slice(1).map((call) => nextTenant('Knex', call)));
  if (script === undefined) return;
  for (const text of scriptsFor(script, schemas.slice(1 + CALLS), CALLS))
    costs.push(nextTenant('psql', await programs.psqlCall(url, text)));
}

function nextTenant(program: FolderCost['program'], call: Pick<FolderCost, 'ms' | 'cpuMs'>): FolderCost {
  return { work: 'next tenant', program, ...ONE, ...call };
}

function someTenants(from: number, count: number): BenchTenant[] {
  return benchTenants(from + count).slice(from);
}

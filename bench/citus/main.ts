// One small migration, and nothing pending, on the nodes of a Citus cluster: tenantctl, Knex per tenant, and psql.
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { makeCitusDatabase } from '../../test/support/citus-database.ts';
import { runNode } from '../child.ts';
import { ADD } from '../fleet/migrations.ts';
import { withProjects, type Projects } from '../fleet/projects.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { replaceMarkedSection } from '../report/marked-section.ts';
import { median } from '../report/median.ts';
import { toTable } from '../report/table.ts';
import { knexPerTenant } from '../rivals/peers.ts';
import { bareAdd, dealOut, psqlVersion, runPsqls } from '../rivals/psql.ts';
import { migrateTenants, provision, TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { withConnection } from '../server/connection.ts';

interface Flags {
  readonly url?: string;
  readonly tenants: number;
  readonly concurrency: number;
  readonly rounds: number;
  readonly markdown?: string;
}

/** Milliseconds of each round, without the start of the program. */
interface Times {
  readonly tenantctl: number[];
  readonly knex: number[];
  readonly psql: number[];
}

const program = new Command('bench:citus')
  .description(
    'Migrations on a Citus cluster, beside Knex and psql, in a database of its own that is dropped.',
  )
  .addOption(new Option('--url <url>', 'a superuser at the coordinator').env('TEST_CITUS_URL'))
  .option('--tenants <n>', 'how many', number, 200)
  .option('--concurrency <n>', 'tenants at once', number, 4)
  .option('--rounds <n>', 'of which the medians are shown', number, 3)
  .option('--markdown <file>', 'a document in which the table replaces the marked section')
  .parse();
const flags = program.opts<Flags>();
const { url } = flags;
if (url === undefined) program.error('Name a coordinator: --url or TEST_CITUS_URL.', { exitCode: 2 });
const coordinator = url ?? '';
const database = await makeCitusDatabase(coordinator);
try {
  const text = await withProjects((projects) => measure(database.url, projects));
  if (flags.markdown !== undefined)
    await replaceMarkedSection(flags.markdown, 'pnpm bench:citus --markdown', text);
  console.log(text);
} finally {
  await database.drop();
}

async function measure(at: string, { before, after }: Projects): Promise<string> {
  const { tenants, concurrency, rounds } = flags;
  await tenantctl(at, before.folder, 'migrate', 'master');
  await provision(
    at,
    before.folder,
    benchTenants(tenants).map(({ organization }) => organization),
  );
  const add: Times = { tenantctl: [], knex: [], psql: [] };
  const noOp: Times = { tenantctl: [], knex: [], psql: [] };
  const byTenantctl = async (expect: { migrated?: number; upToDate?: number }) =>
    (await migrateTenants({ url: at, folder: after.folder, concurrency, expect })).ownMs;
  const byKnex = async () => {
    const work = { url: at, project: after, tenants, concurrency };
    const { ms: startUp } = await knexPerTenant.run({ ...work, first: 0 });
    return (await knexPerTenant.run({ ...work, first: tenants })).ms - startUp;
  };
  const undo = () => tenantctl(at, after.folder, 'rollback', 'tenants', '--to', ADD.name, '--yes');
  const hasPsql = (await psqlVersion()) !== undefined;
  for (let round = 1; round <= rounds; round += 1) {
    add.tenantctl.push(await byTenantctl({ migrated: tenants }));
    noOp.tenantctl.push(await byTenantctl({ upToDate: tenants }));
    noOp.knex.push(await byKnex());
    await undo();
    add.knex.push(await byKnex());
    await undo();
    if (!hasPsql) continue;
    add.psql.push((await runPsqls(at, dealOut(benchTenants(tenants).map(bareAdd), concurrency))).ms);
    await undo();
    console.error(`round ${round} of ${rounds}`);
  }
  return report(await nodesOf(at), add, noOp);
}

async function tenantctl(at: string, cwd: string, ...args: readonly string[]): Promise<void> {
  await runNode([TENANTCTL, ...args, '--quiet'], { cwd, env: tenantctlEnv(at) });
}

async function nodesOf(at: string): Promise<string> {
  return withConnection(at, async (client) => {
    const { rows } = await client.query<{ version: string; server: string; workers: number }>(
      `SELECT extversion AS version, current_setting('server_version_num')::int / 10000 AS server,
         (SELECT count(*)::int FROM pg_dist_node WHERE noderole = 'primary' AND shouldhaveshards) AS workers
       FROM pg_extension WHERE extname = 'citus'`,
    );
    const [found] = rows;
    return `Citus ${found?.version} on PostgreSQL ${found?.server}, ${found?.workers} nodes with tenants`;
  });
}

function report(nodes: string, add: Times, noOp: Times): string {
  const { tenants, concurrency, rounds } = flags;
  const shown = (times: readonly number[]) =>
    times.length === 0 ? '-' : `${(median(times) / 1000).toPrecision(2)} s`;
  const ratio = (of: Times) => `${(median(of.knex) / median(of.tenantctl)).toFixed(1)} x`;
  const row = (what: string, of: Times) => [
    what,
    shown(of.tenantctl),
    shown(of.knex),
    shown(of.psql),
    ratio(of),
  ];
  return [
    `${tenants} tenants, ${concurrency} at once, medians of ${rounds} rounds; ${nodes}; a client with ${cpus().length} cores; ${new Date().toISOString().slice(0, 10)}.`,
    '',
    ...toTable([
      ['', 'tenantctl', 'Knex', 'psql', 'times as fast as Knex'],
      row('one `ALTER TABLE ... ADD COLUMN`', add),
      row('nothing pending', noOp),
    ]),
  ].join('\n');
}

function number(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It is not a whole number above 0.');
  return Number(text);
}

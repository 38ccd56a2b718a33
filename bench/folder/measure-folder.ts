import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INIT_SQL } from '../../test/support/init-sql.ts';
import { rotated } from '../bench.ts';
import { withServerCpu } from '../server/server-cpu.ts';
import { settle } from '../server/server.ts';
import { createTemplates } from '../server/templates.ts';
import { folderCheck } from './check-folder.ts';
import type { FolderProgram, FolderResult, FolderWork } from './folder-cost.ts';
import { folderFleets } from './folder-fleets.ts';
import { folderPrograms } from './folder-programs.ts';
import { FolderUnusable, type FolderProject } from './folder-project.ts';
import { messageOf, schemasOf, type FolderBench, type Stage } from './folder-stage.ts';
import { measureNewTenant } from './measure-new-tenant.ts';
import { record, type Recording } from './recorded-scripts.ts';
import { scriptsFor, type Script } from './tenant-string.ts';

/** Measures tenantctl, plain Knex and psql on a project's own migrations, and compares what they leave. */
export async function measureFolder(bench: FolderBench, project: FolderProject): Promise<FolderResult> {
  return withMaster(project, async (master) => {
    const programs = folderPrograms(project, master);
    const templates = createTemplates(bench.server, bench.say, { prefix: 'folder_', drops: 'end' });
    try {
      const stage: Stage = {
        ...bench,
        programs,
        fleets: folderFleets(project, programs, templates),
        check: folderCheck(),
        costs: [],
        differences: [],
        notes: [],
      };
      await measureWorks(stage);
      const { costs, differences, notes } = stage;
      return { costs, differences, notes };
    } finally {
      await templates.close();
    }
  });
}

async function measureWorks(stage: Stage): Promise<void> {
  const whole = await learn(stage);
  await measureStartUp(stage);
  await measureWhole(stage, whole);
  const others = [measureLast, (each: Stage) => measureNewTenant(each, whole), measureNothing];
  for (const measureOther of others)
    // They begin with what tenantctl has done.
    await measureOther(stage).catch((error: unknown) => stage.differences.push(messageOf(error)));
}

async function withMaster<T>({ master }: FolderProject, use: (master: string) => Promise<T>): Promise<T> {
  if (master !== undefined) return use(master);
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-bench-'));
  try {
    await writeFile(join(folder, '20260101000000_registry.sql'), INIT_SQL);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Plain Knex alone, twice: does it work, what does it leave, what does it send? */
async function learn(stage: Stage): Promise<Script | undefined> {
  const { fleets, programs, check } = stage;
  const schemas = schemasOf(2);
  const [first = '', second = ''] = schemas;
  const recording = await fleets.withNew(2, async (url) => {
    const found = await record(programs, url, first).catch((error: unknown) => {
      throw new FolderUnusable(`A migration fails with plain Knex too: ${messageOf(error)}`);
    });
    await programs.knex({ url, concurrency: 1, schemas: [second] });
    await check.learn('at once', url, schemas);
    return found;
  });
  await fleets.withNew(2, async (url) => {
    await programs.knex({ url, concurrency: 1, schemas });
    await check.learn('at once', url, schemas);
  });
  return scriptThatWorks(stage, recording, (use) => fleets.withNew(2, use));
}

/** Not every migration can be in one transaction with all others. */
async function scriptThatWorks(
  { hasPsql, programs, notes }: Stage,
  { schema, candidates }: Recording,
  withDatabase: (use: (url: string) => Promise<boolean>) => Promise<boolean>,
): Promise<Script | undefined> {
  if (!hasPsql) return undefined;
  for (const [at, text] of candidates.entries()) {
    const works = await withDatabase((url) =>
      programs.psql(url, [text]).then(
        () => true,
        (error: unknown) => {
          notes.push(`psql, ${at === 0 ? 'one transaction' : "Knex's transactions"}: ${messageOf(error)}`);
          return false;
        },
      ),
    );
    if (works) return { schema, text };
  }
  return undefined;
}

interface Contender {
  readonly program: FolderProgram;
  readonly concurrency: number;
  readonly run: (url: string) => Promise<{ readonly ms: number; readonly cpuMs?: number | undefined }>;
}

interface Turns {
  readonly work: FolderWork;
  readonly tenants: number;
  readonly contenders: readonly Contender[];
  readonly withDatabase: (use: (url: string) => Promise<void>) => Promise<void>;
}

/** Runs the contenders in turn, each on a database of its own. Knex is first: it shows what is right. */
async function measureInTurn(
  stage: Stage,
  { work, tenants, contenders, withDatabase }: Turns,
): Promise<void> {
  const { server, sizes, check, costs, differences, notes, say } = stage;
  const schemas = schemasOf(tenants);
  const course = work === 'last migration' ? 'last one later' : 'at once';
  const failed = new Set<Contender>();
  for (let round = 0; round < sizes.rounds; round += 1)
    for (const contender of rotated(contenders, round)) {
      if (failed.has(contender)) continue;
      const { program, concurrency, run } = contender;
      await withDatabase(async (url) => {
        await settle(server);
        const { result: cost, serverCpuMs } = await withServerCpu(server, () =>
          run(url).catch((error: unknown) => messageOf(error)),
        );
        if (typeof cost === 'string') {
          failed.add(contender);
          const isOurs = program.startsWith('tenantctl');
          (isOurs ? differences : notes).push(`${work}, ${program}, ${concurrency} at once: ${cost}`);
          return;
        }
        costs.push({ work, program, tenants, concurrency, ms: cost.ms, cpuMs: cost.cpuMs, serverCpuMs });
        say(
          `round ${round + 1}: ${work}, ${program}, ${concurrency} at once: ${(cost.ms / 1000).toFixed(2)} s`,
        );
        if (round > 0 || tenants === 0) return;
        if (program === 'Knex') await check.learn(course, url, schemas);
        else if (program !== 'psql')
          for (const line of await check.compare(course, url, schemas))
            differences.push(`${work}, ${program}, ${concurrency} at once: ${line}`);
      });
    }
}

async function measureStartUp(stage: Stage): Promise<void> {
  const { programs, fleets, hasPsql } = stage;
  await measureInTurn(stage, {
    work: 'start-up',
    tenants: 0,
    withDatabase: (use) => fleets.withNew(0, use),
    contenders: [
      { program: 'Knex', concurrency: 1, run: (url) => programs.knex({ url, concurrency: 1, schemas: [] }) },
      { program: 'tenantctl', concurrency: 1, run: (url) => programs.tenantctl(url, ['migrate', 'tenants']) },
      ...psqlContender(hasPsql, 1, (url) => programs.psql(url, ['SELECT 1;'])),
    ],
  });
}

async function measureWhole(stage: Stage, script: Script | undefined): Promise<void> {
  const { tenants } = stage.sizes;
  await measureInTurn(stage, {
    work: 'whole folder',
    tenants,
    withDatabase: (use) => stage.fleets.withNew(tenants, use),
    contenders: [
      ...[1, CONCURRENCY].flatMap((concurrency) => knexContender(stage, tenants, concurrency)),
      tenantctlContender(stage, 1, true),
      tenantctlContender(stage, 1),
      tenantctlContender(stage, CONCURRENCY),
      ...[1, CONCURRENCY].flatMap((concurrency) => psqlTenants(stage, script, tenants, concurrency)),
    ],
  });
}

async function measureLast(stage: Stage): Promise<void> {
  const { fleets, programs, sizes, notes } = stage;
  const { existing: tenants } = sizes;
  const withDatabase = <T>(use: (url: string) => Promise<T>) => fleets.withBehind(tenants, use);
  const [first = ''] = schemasOf(1);
  const recording = await withDatabase((url) => record(programs, url, first)).catch((error: unknown) =>
    messageOf(error),
  );
  if (typeof recording === 'string') {
    notes.push(`last migration: not measured, plain Knex fails in this fleet: ${recording}`);
    return;
  }
  const script = await scriptThatWorks(stage, recording, withDatabase);
  await measureInTurn(stage, {
    work: 'last migration',
    tenants,
    withDatabase,
    contenders: [
      ...knexContender(stage, tenants, CONCURRENCY),
      tenantctlContender(stage, CONCURRENCY),
      ...psqlTenants(stage, script, tenants, CONCURRENCY),
    ],
  });
}

async function measureNothing(stage: Stage): Promise<void> {
  const { tenants } = stage.sizes;
  await measureInTurn(stage, {
    work: 'nothing pending',
    tenants,
    withDatabase: (use) => stage.fleets.withDone(tenants, use),
    contenders: [...knexContender(stage, tenants, CONCURRENCY), tenantctlContender(stage, CONCURRENCY)],
  });
}

const CONCURRENCY = 4;

function tenantctlContender({ programs }: Stage, concurrency: number, isPlain = false): Contender {
  const flags = ['--concurrency', String(concurrency), ...(isPlain ? ['--no-compile'] : [])];
  return {
    program: isPlain ? 'tenantctl --no-compile' : 'tenantctl',
    concurrency,
    run: (url) => programs.tenantctl(url, ['migrate', 'tenants', ...flags]),
  };
}

function knexContender({ programs }: Stage, tenants: number, concurrency: number): Contender[] {
  const schemas = schemasOf(tenants);
  return [{ program: 'Knex', concurrency, run: (url) => programs.knex({ url, concurrency, schemas }) }];
}

function psqlTenants(
  { programs, hasPsql }: Stage,
  script: Script | undefined,
  tenants: number,
  concurrency: number,
): Contender[] {
  if (script === undefined) return [];
  const scripts = scriptsFor(script, schemasOf(tenants), concurrency);
  return psqlContender(hasPsql, concurrency, (url) => programs.psql(url, scripts));
}

function psqlContender(hasPsql: boolean, concurrency: number, run: Contender['run']): Contender[] {
  return hasPsql ? [{ program: 'psql', concurrency, run }] : [];
}

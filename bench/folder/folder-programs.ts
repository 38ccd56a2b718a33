import { fileURLToPath } from 'node:url';
import { runNode } from '../child.ts';
import { runPsqls, timedByPsql } from '../rivals/psql.ts';
import type { Effort } from '../rivals/rival.ts';
import { TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import type { FolderProject } from './folder-project.ts';
import type { Call, KnexJob } from './knex-job.ts';
import type { LibraryJob } from './library-job.ts';

const KNEX = fileURLToPath(new URL('../rivals/knex-folder-per-tenant.ts', import.meta.url));
const LIBRARY_CALLS = fileURLToPath(new URL('../rivals/library-call-per-tenant.ts', import.meta.url));
const LIBRARY = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** The programs that are compared, on one project. */
export interface FolderPrograms {
  /** @throws Error if a tenant failed */
  tenantctl(url: string, args: readonly string[]): Promise<Effort>;
  knex(
    job: Pick<KnexJob, 'url' | 'concurrency' | 'schemas' | 'upTo'>,
  ): Promise<Effort & { readonly calls: readonly Call[] }>;
  psql(url: string, scripts: readonly string[]): Promise<Effort>;
  /** One tenant's script, as psql itself measures it. */
  psqlCall(url: string, script: string): Promise<Pick<Call, 'ms'>>;
  /** The library in a running process: a call for each organization. */
  libraryCalls(url: string, organizations: readonly string[]): Promise<readonly Call[]>;
}

/** @param master the folder of master migrations, which creates the registry */
export function folderPrograms({ folder, files, root, knex }: FolderProject, master: string): FolderPrograms {
  const options = (url: string) => ({
    cwd: root,
    env: { ...tenantctlEnv(url), TENANT_MIGRATIONS_DIR: folder, MASTER_MIGRATIONS_DIR: master },
  });
  return {
    async tenantctl(url, args) {
      const { ms, cpuMs, maxRssBytes } = await runNode(
        [TENANTCTL, ...args, '--json', '--quiet'],
        options(url),
      ).catch((error: unknown) => {
        throw new Error(failureOf('tenantctl', error), { cause: error });
      });
      return { ms, cpuMs, maxRssBytes };
    },
    async knex(job) {
      const full: KnexJob = { ...job, knex: knex.path, folder, files };
      const run = await runNode([KNEX, JSON.stringify(full)], { cwd: root }).catch((error: unknown) => {
        throw new Error(failureOf('Knex', error), { cause: error });
      });
      const calls = run.stdout.trimEnd().split('\n').at(-1) ?? '[]';
      return { ...run, calls: JSON.parse(calls) as Call[] };
    },
    psql: runPsqls,
    async psqlCall(url, script) {
      return { ms: (await timedByPsql(url, script)).reduce((sum, ms) => sum + ms, 0) };
    },
    async libraryCalls(url, organizations) {
      const job: LibraryJob = { url, library: LIBRARY, folder, master, organizations };
      const { stdout } = await runNode([LIBRARY_CALLS, JSON.stringify(job)], { cwd: root });
      return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '[]') as Call[];
    },
  };
}

/** The first message in what a program wrote before it failed. */
function failureOf(program: string, error: unknown): string {
  const text = String(error);
  const [, json] = /"error":\s*\{[^]*?"message":\s*("(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  const [, migration] = /migration file "([^"]+)" failed/.exec(text) ?? [];
  const [, thrown] = /✖ ([^]+)/.exec(text) ?? [];
  const message = json === undefined ? (thrown ?? text.slice(0, 1000)) : (JSON.parse(json) as string);
  return [program, migration, message.trim()].filter((each) => each !== undefined).join(': ');
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.ts';
import { ADD, INIT, TENANT_MIGRATIONS } from './work.ts';

export type WorkName = 'init' | 'add' | 'no-op';

/** A fleet and how it is to be migrated. */
export interface Assignment {
  readonly url: string;
  /** The project folder, with the migrations that are due. */
  readonly project: string;
  readonly schemas: readonly string[];
  readonly concurrency: number;
  readonly work: WorkName;
}

/** A way to migrate a fleet. */
export interface Rival {
  readonly name: 'tenantctl' | 'knex' | 'psql';
  /** It has no history to look at, so nothing pending means nothing to do. */
  readonly skipsNoOp: boolean;
  /** Does the work in child processes. @returns milliseconds, their start-up included */
  run(assignment: Assignment): Promise<number>;
}

const PROGRAM = fileURLToPath(new URL('../bin/tenantctl.js', import.meta.url));
const KNEX_PER_TENANT = fileURLToPath(new URL('./knex-per-tenant.ts', import.meta.url));

interface FleetDocument {
  readonly ok: boolean;
  readonly totals: { readonly upToDate: number; readonly migrated: number; readonly failed: number };
}

/** The variables with which tenantctl finds a database. */
export function tenantctlEnv(url: string): Record<string, string> {
  return { DATABASE_URL: url, DB_SSL: 'false' };
}

export const tenantctl: Rival = {
  name: 'tenantctl',
  skipsNoOp: false,
  async run({ url, project, schemas, concurrency, work }) {
    const { ms, stdout } = await runChild(
      process.execPath,
      [PROGRAM, 'migrate', 'tenants', '--concurrency', String(concurrency), '--json', '--quiet'],
      { cwd: project, env: tenantctlEnv(url) },
    );
    const { totals } = JSON.parse(stdout) as FleetDocument;
    const counted = work === 'no-op' ? totals.upToDate : totals.migrated;
    if (counted !== schemas.length)
      throw new Error(`tenantctl, ${work}: ${JSON.stringify(totals)} of ${schemas.length} tenants`);
    return ms;
  },
};

export const knexPerTenant: Rival = {
  name: 'knex',
  skipsNoOp: false,
  async run({ url, project, concurrency }) {
    const args = [KNEX_PER_TENANT, url, join(project, TENANT_MIGRATIONS), String(concurrency)];
    return (await runChild(process.execPath, args)).ms;
  },
};

/** The limit: nothing but the statements, one string and one transaction per tenant, shared out to so many psqls. */
export const psql: Rival = {
  name: 'psql',
  skipsNoOp: true,
  async run({ url, project, schemas, concurrency, work }) {
    const scripts = Array.from({ length: concurrency }, (_, index) => ({
      path: join(project, `psql-${work}-${index}.sql`),
      schemas: schemas.filter((_, at) => at % concurrency === index),
    }));
    for (const { path, schemas } of scripts)
      await writeFile(path, schemas.map((schema) => oneString(schema, work)).join('\n'));
    const started = performance.now();
    await Promise.all(
      scripts.map(({ path }) =>
        runChild('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', path]),
      ),
    );
    return performance.now() - started;
  },
};

/** `\;` keeps psql from sending what stands before it on its own. */
function oneString(schema: string, work: WorkName): string {
  const history = 'knex_migrations_tenant';
  const due = work === 'init' ? INIT : [ADD];
  const statements = [
    'BEGIN',
    `SET LOCAL search_path TO ${schema}, public`,
    ...(work === 'init'
      ? [
          `CREATE TABLE ${history} (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz)`,
          `CREATE TABLE ${history}_lock (index serial PRIMARY KEY, is_locked integer)`,
          `INSERT INTO ${history}_lock (is_locked) VALUES (0)`,
        ]
      : []),
    ...due.flatMap(({ name, sql }) => [
      ...sql,
      `INSERT INTO ${history} (name, batch, migration_time) VALUES ('${name}', ${work === 'init' ? 1 : 2}, now())`,
    ]),
  ];
  return `${statements.join('\\; ')}\\; COMMIT;`;
}

/** psql's version, or undefined where no psql is on the PATH. */
export async function psqlVersion(): Promise<string | undefined> {
  const answer = await runChild('psql', ['--version']).catch(() => undefined);
  return answer?.stdout.trim();
}

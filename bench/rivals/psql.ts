import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../child.ts';
import { knexHistory } from '../fleet/histories.ts';
import { ADD, INIT, type BenchMigration } from '../fleet/migrations.ts';
import type { BenchTenant } from '../fleet/tenants.ts';
import type { Effort } from './rival.ts';

/** psql's version; undefined if it is not on the PATH. */
export async function psqlVersion(): Promise<string | undefined> {
  const answer = await runChild('psql', ['--version']).catch(() => undefined);
  return answer?.stdout.trim();
}

const QUIETLY = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'];

/** The proxy cannot read encrypted traffic. */
const PLAIN = { PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' };

/** Runs one psql per script in parallel. Timing starts when the files exist. */
export async function runPsqls(url: string, scripts: readonly string[]): Promise<Effort> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-psql-'));
  try {
    const files = scripts.map((_, index) => join(folder, `${index}.sql`));
    for (const [index, script] of scripts.entries()) await writeFile(files[index] ?? '', script);
    const started = performance.now();
    await Promise.all(
      files.map((file) => runChild('psql', [...QUIETLY, '-d', url, '-f', file], { env: PLAIN })),
    );
    return { ms: performance.now() - started };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What psql itself measures for each string of a script, in milliseconds: without its own start-up. */
export async function timedByPsql(url: string, script: string): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-psql-'));
  try {
    const file = join(folder, 'script.sql');
    await writeFile(file, `\\timing on\n${script}`);
    const { stdout } = await runChild('psql', [...QUIETLY, '-d', url, '-f', file], {
      env: { ...PLAIN, LC_ALL: 'C' },
    });
    return [...stdout.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, ms]) => Number(ms));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Distributes one string per tenant over this many scripts. */
export function dealOut(strings: readonly string[], scripts: number): string[] {
  return Array.from({ length: scripts }, (_, index) =>
    strings.filter((_, at) => at % scripts === index).join('\n'),
  );
}

/** The SQL equivalent of `add` for a tenant: the statement and the history row, as one string. */
export function bareAdd({ schema }: BenchTenant): string {
  return oneString([`SET LOCAL search_path TO ${schema}, public`, ...applied([ADD], 2)]);
}

/** The SQL equivalent of `init` for a tenant with a schema. */
export function bareInit({ schema }: BenchTenant): string {
  return oneString([
    `SET LOCAL search_path TO ${schema}, public`,
    ...knexHistory.create,
    ...applied(INIT, 1),
  ]);
}

/** The SQL equivalent of provisioning a tenant: registry row, schema and migrations. */
export function bareProvision(
  { organization, schema }: BenchTenant,
  migrations: readonly BenchMigration[],
): string {
  return oneString([
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('${organization}', '${schema}', 'ACTIVE')`,
    `CREATE SCHEMA ${schema}`,
    `SET LOCAL search_path TO ${schema}, public`,
    ...knexHistory.create,
    ...applied(migrations, 1),
  ]);
}

function applied(migrations: readonly BenchMigration[], batch: number): string[] {
  return migrations.flatMap(({ name, sql }) => [...sql, knexHistory.record(name, batch)]);
}

/** `\;` keeps psql from sending each statement separately. */
function oneString(statements: readonly string[]): string {
  return `${['BEGIN', ...statements].join('\\; ')}\\; COMMIT;`;
}

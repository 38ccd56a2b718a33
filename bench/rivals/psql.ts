import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../child.ts';
import { knexHistory } from '../fleet/histories.ts';
import { ADD, INIT, type BenchMigration } from '../fleet/migrations.ts';
import type { BenchTenant } from '../fleet/tenants.ts';
import type { Effort } from './rival.ts';

/** psql's version, or undefined where no psql is on the PATH. */
export async function psqlVersion(): Promise<string | undefined> {
  const answer = await runChild('psql', ['--version']).catch(() => undefined);
  return answer?.stdout.trim();
}

const QUIETLY = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null'];

/** Nobody here asks for encryption, and the wire could not read it. */
const PLAIN = { PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' };

/** Has one psql for each script, all at once. Their time begins when the files are there. */
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

/** Deals one string per tenant out to so many scripts. */
export function dealOut(strings: readonly string[], scripts: number): string[] {
  return Array.from({ length: scripts }, (_, index) =>
    strings.filter((_, at) => at % scripts === index).join('\n'),
  );
}

/** What `add` amounts to for a tenant: the bare statement and the row of the history, one string for psql. */
export function bareAdd({ schema }: BenchTenant): string {
  return oneString([`SET LOCAL search_path TO ${schema}, public`, ...applied([ADD], 2)]);
}

/** What `init` amounts to for a tenant whose schema is there. */
export function bareInit({ schema }: BenchTenant): string {
  return oneString([
    `SET LOCAL search_path TO ${schema}, public`,
    ...knexHistory.create,
    ...applied(INIT, 1),
  ]);
}

/** What provisioning a tenant amounts to: its row in the registry, its schema, and `init`. */
export function bareProvision({ organization, schema }: BenchTenant): string {
  return oneString([
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('${organization}', '${schema}', 'ACTIVE')`,
    `CREATE SCHEMA ${schema}`,
    `SET LOCAL search_path TO ${schema}, public`,
    ...knexHistory.create,
    ...applied(INIT, 1),
  ]);
}

function applied(migrations: readonly BenchMigration[], batch: number): string[] {
  return migrations.flatMap(({ name, sql }) => [...sql, knexHistory.record(name, batch)]);
}

/** `\;` keeps psql from sending what stands before it on its own. */
function oneString(statements: readonly string[]): string {
  return `${['BEGIN', ...statements].join('\\; ')}\\; COMMIT;`;
}

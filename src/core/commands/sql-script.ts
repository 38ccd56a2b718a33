import { hash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import type { Migration } from '../files/load.ts';
import { parseSql, type ParsedStatement } from '../files/parse-sql.ts';
import { hasMarker, NEVER_UNDONE } from '../files/sql-file.ts';
import type { Plan } from '../plan/plan.ts';
import { unparsed } from '../query/statement.ts';

/** SQL that a caller gives, to be run as a migration is. */
export interface SqlOptions {
  /** One or more statements. */
  readonly sql: string;
  /** What errors and the ledger call it, such as the name of its file; `SQL` if absent. */
  readonly sqlName?: string | undefined;
  /**
   * What it may reach outside the tenant's schema: qualified names, or `schema.*`. It then runs in one tenant at a
   * time.
   */
  readonly allowOutside?: readonly string[] | undefined;
}

/** Characters of the SQL that the ledger keeps. */
const BEGINNING = 200;

export interface SqlScript {
  /** The SQL in the form of a migration, without a file. */
  readonly migration: Migration;
  readonly statements: readonly ParsedStatement[];
}

/** @throws TenantctlError USAGE */
export async function sqlScript({
  sql,
  sqlName: name = 'SQL',
  allowOutside = [],
}: SqlOptions): Promise<SqlScript> {
  const statements = await readStatements(sql);
  const migration: Migration = {
    file: { name, stem: name, path: name, format: 'sql', isGiven: true },
    ...NEVER_UNDONE,
    up: sql,
    lines: { up: 1, down: 1 },
    allowOutside,
    text: sql,
    checksum: hash('sha256', sql),
  };
  return { migration, statements };
}

async function readStatements(sql: string): Promise<readonly ParsedStatement[]> {
  const refused = (message: string, hint: string) => new TenantctlError('USAGE', message, { hint });
  const statements = await parseSql(sql).catch((error: unknown) => {
    throw unparsed(sql, error, 'Correct it. Nothing was sent.');
  });
  if (statements.length === 0) throw refused('The SQL is empty.', 'Give one or more statements.');
  if (hasMarker(sql))
    throw refused(
      'The SQL has a line "-- migrate:up" or "-- migrate:down": it is a migration.',
      'Put it in the folder of the tenant migrations, and run tenantctl migrate tenants. Or remove the line, and the part that undoes the rest.',
    );
  const outside = statements.find(runsOutsideTransaction);
  if (outside !== undefined)
    throw refused(
      `This cannot run in a transaction: ${beginningOf(outside.text)}`,
      'Make it a migration of its own, with "-- migrate:up transaction:false" (tenantctl make tenant <name> --format sql): what was done is then known if it is interrupted.',
    );
  return statements;
}

function runsOutsideTransaction({ kind, text }: ParsedStatement): boolean {
  if (kind === 'VacuumStmt') return /^vacuum/i.test(text);
  return /^(?:Index|Drop|Reindex)Stmt$/.test(kind) && /\bconcurrently\b/i.test(text);
}

/** The plan of a tenant that is due the SQL. */
export function planOf({ file }: Migration): Plan {
  return { steps: [{ file, name: file.name }], batch: 0, warnings: [] };
}

/** What the ledger keeps of the SQL: nothing secret. Two texts that differ in secrets alone have one digest. */
export function recordedSql(
  { conceal }: Pick<Database, 'conceal'>,
  { sql, sqlName }: SqlOptions,
): { readonly sql: string; readonly sqlName: string | undefined; readonly sqlDigest: string } {
  const concealed = maskSecrets(conceal(sql));
  return { sqlName, sql: beginningOf(concealed), sqlDigest: hash('sha256', concealed) };
}

function beginningOf(sql: string): string {
  const line = maskSecrets(sql).replaceAll(/\s+/g, ' ').trim();
  return line.length > BEGINNING ? `${line.slice(0, BEGINNING)}...` : line;
}

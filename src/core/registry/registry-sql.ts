import { identifier, literal, readable } from '../../db/sql.ts';
import { STATUSES, type Names, type TenantStatus } from '../../names.ts';

/** The registry and its columns as SQL has them, quoted. */
export interface RegistrySql {
  readonly table: string;
  readonly organization: string;
  readonly schema: string;
  readonly status: string;
  readonly updated: string;
}

/** @param quote readable for SQL that is shown to people */
export function registrySql({ registry, columns }: Names, quote = identifier): RegistrySql {
  return {
    table: `${quote(registry.schema)}.${quote(registry.table)}`,
    organization: quote(columns.organization),
    schema: quote(columns.schema),
    status: quote(columns.status),
    updated: quote(columns.updated),
  };
}

/** What the status column may hold for these statuses. */
export function statusValues({ statuses }: Names, words: readonly TenantStatus[]): string[] {
  return words.flatMap((word) => statuses[word]);
}

/**
 * The status that a value of the status column stands for, in SQL: one of STATUSES. A value that stands for none is
 * shown as it is, or with a remark where it reads like a status; NULL is shown as nothing.
 * @param column in SQL
 */
export function statusOf({ statuses }: Names, column: string): string {
  const text = `${column}::text`;
  const shown = new Map<string, string>(STATUSES.map((word) => [word, `${word} (not mapped)`]));
  for (const word of STATUSES) for (const value of statuses[word]) shown.set(value, word);
  const cases = [...shown]
    .filter(([value, word]) => value !== word)
    .map(([value, word]) => `WHEN ${literal(value)} THEN ${literal(word)}`);
  const other = `coalesce(${text}, '')`;
  return cases.length === 0 ? other : `CASE ${text} ${cases.join(' ')} ELSE ${other} END`;
}

/** Whether the status column holds one of these statuses, in SQL. */
export function hasStatus(names: Names, column: string, words: readonly TenantStatus[]): string {
  return `coalesce(${column}::text IN (${statusValues(names, words).map(literal).join(', ')}), false)`;
}

/** The value that is written for a status, in SQL. */
export function writtenStatus({ statuses }: Names, word: TenantStatus): string {
  return literal(statuses[word][0] ?? word);
}

/** The statement that registers a schema, for a hint: provisioning goes on with what the schema holds. */
export function insertTenant(names: Names, clerkOrgId: string, tenantSchema: string): string {
  const { table, organization, schema, status } = registrySql(names, readable);
  return `INSERT INTO ${table} (${organization}, ${schema}, ${status}) VALUES (${literal(clerkOrgId)}, ${literal(tenantSchema)}, ${writtenStatus(names, 'FAILED')});`;
}

/** The same for an organization whose row names no schema. */
export function updateTenant(names: Names, clerkOrgId: string, tenantSchema: string): string {
  const { table, organization, schema, status } = registrySql(names, readable);
  return `UPDATE ${table} SET ${schema} = ${literal(tenantSchema)}, ${status} = ${writtenStatus(names, 'FAILED')} WHERE ${organization} = ${literal(clerkOrgId)};`;
}

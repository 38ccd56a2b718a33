import { identifier, literal } from '../../db/sql.ts';
import { STATUSES, type Names, type TenantStatus } from '../../names.ts';

/** Quoted SQL names of the registry and its columns. */
export interface RegistrySql {
  readonly table: string;
  readonly organization: string;
  readonly schema: string;
  readonly status: string;
  readonly updated: string;
}

/** @param quote a more readable one for SQL in messages */
export function registrySql({ registry, columns }: Names, quote = identifier): RegistrySql {
  return {
    table: `${quote(registry.schema)}.${quote(registry.table)}`,
    organization: quote(columns.organization),
    schema: quote(columns.schema),
    status: quote(columns.status),
    updated: quote(columns.updated),
  };
}

/** Values of the status column for these statuses. */
export function statusValues({ statuses }: Names, words: readonly TenantStatus[]): string[] {
  return words.flatMap((word) => statuses[word]);
}

/**
 * SQL for the status that a column value stands for. Other values are returned as they are, or with a remark
 * if they look like a status; NULL becomes an empty string.
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

/** SQL that tests the status column for these statuses. */
export function hasStatus(names: Names, column: string, words: readonly TenantStatus[]): string {
  return `coalesce(${column}::text IN (${statusValues(names, words).map(literal).join(', ')}), false)`;
}

/** SQL for the value to write for a status. */
export function writtenStatus({ statuses }: Names, word: TenantStatus): string {
  return literal(statuses[word][0] ?? word);
}

import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { hasStatus, registrySql, writtenStatus } from './registry-sql.ts';

/** Statuses of a tenant that is still to be made. */
export const UNFINISHED: readonly TenantStatus[] = ['PROVISIONING', 'FAILED'];

/** The statement that ends the provisioning of a tenant. */
export function setStatus(
  names: Names,
  { hasUpdatedAt }: { readonly hasUpdatedAt: boolean },
  tenantSchema: string,
  word: 'ACTIVE' | 'FAILED',
): string {
  const { table, schema, status, updated } = registrySql(names);
  return `UPDATE ${table} SET ${status} = ${writtenStatus(names, word)}${hasUpdatedAt ? `, ${updated} = now()` : ''}
          WHERE ${schema}::text = ${literal(tenantSchema)} AND ${hasStatus(names, status, UNFINISHED)}`;
}

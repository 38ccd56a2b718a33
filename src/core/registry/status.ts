import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { isTime, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, writtenStatus } from './registry-sql.ts';
import { TRANSITIONS, UNFINISHED, type StatusChange } from './transitions.ts';

/** The statement that ends provisioning. */
export function setStatus(
  names: Names,
  shape: RegistryShape,
  tenantSchema: string,
  word: typeof TRANSITIONS.provision.to | typeof TRANSITIONS.provision.failed,
): string {
  const where = `${registrySql(names).schema}::text = ${literal(tenantSchema)}`;
  return updateStatus(names, shape, where, { from: UNFINISHED, to: word });
}

/** The channel that hears of suspended and resumed tenants. */
const CHANNEL = 'tenantctl';

/**
 * The statement that suspends or resumes a tenant, and notifies the channel `tenantctl` of its organization id when
 * the transaction commits. It returns a row if the status was changed.
 */
export function changeStatus(
  names: Names,
  shape: RegistryShape,
  { clerkOrgId, schema }: { readonly clerkOrgId: string; readonly schema: string },
  change: StatusChange,
): string {
  const row = whereRow(names, clerkOrgId, schema);
  return `WITH changed AS (${updateStatus(names, shape, row, TRANSITIONS[change])} RETURNING 1)
          SELECT pg_notify('${CHANNEL}', ${literal(clerkOrgId)}) FROM changed`;
}

/** SQL that tests for the row of an organization. */
export function whereRow(names: Names, clerkOrgId: string, tenantSchema: string): string {
  const { organization, schema } = registrySql(names);
  return `${organization}::text = ${literal(clerkOrgId)} AND coalesce(${schema}::text, '') = ${literal(tenantSchema)}`;
}

function updateStatus(
  names: Names,
  shape: RegistryShape,
  where: string,
  { from, to }: { readonly from: readonly TenantStatus[]; readonly to: TenantStatus },
): string {
  const { table, status } = registrySql(names);
  return `UPDATE ${table} SET ${status} = ${writtenStatus(names, to)}${touched(names, shape)}
          WHERE ${where} AND ${hasStatus(names, status, from)}`;
}

/** The end of a SET list; sets the update time if the registry has such a column. */
export function touched(names: Names, shape: RegistryShape): string {
  return isTime(shape, names.columns.updated) ? `, ${registrySql(names).updated} = now()` : '';
}

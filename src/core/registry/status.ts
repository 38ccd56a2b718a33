import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus, TenantNames } from '../../names.ts';
import { isTime, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, statusOf, writtenStatus } from './registry-sql.ts';
import { UNFINISHED, type TRANSITIONS } from './transitions.ts';

/** The channel that hears of every change of a status, and of both ids of a renamed organization. */
export const CHANNEL = 'tenantctl';

/** What a statement that changes a status writes, and from which statuses. */
interface Change {
  readonly from: readonly TenantStatus[];
  readonly to: TenantStatus;
}

/** The statement that ends provisioning, and notifies as changeStatus does. */
export function setStatus(
  names: Names,
  shape: RegistryShape,
  tenantSchema: string,
  word: typeof TRANSITIONS.provision.to | typeof TRANSITIONS.provision.failed,
): string {
  const where = `${registrySql(names).schema}::text = ${literal(tenantSchema)}`;
  return updateStatus(names, shape, where, { from: UNFINISHED, to: word });
}

/**
 * The statement that changes a tenant's status, and notifies the channel `tenantctl` of its organization id when the
 * transaction commits. It returns a row if the status was changed.
 */
export function changeStatus(
  names: Names,
  shape: RegistryShape,
  tenant: TenantNames,
  change: Change,
): string {
  return updateStatus(names, shape, whereRow(names, tenant), change);
}

/** The statement that deletes a tenant's row, and notifies as changeStatus does. It returns a row if there was one. */
export function deleteRow(names: Names, tenant: TenantNames): string {
  const { table } = registrySql(names);
  return notifying(names, `DELETE FROM ${table} WHERE ${whereRow(names, tenant)}`);
}

/** Notifies of the organization of each row that a statement changes. */
function notifying(names: Names, statement: string): string {
  const { organization } = registrySql(names);
  return `WITH changed AS (${statement} RETURNING ${organization}::text AS organization)
          SELECT pg_notify('${CHANNEL}', organization) FROM changed`;
}

/** SQL that tests for a tenant's row. */
export function whereRow(names: Names, { clerkOrgId, schema: tenantSchema }: TenantNames): string {
  const { organization, schema } = registrySql(names);
  return `${organization}::text = ${literal(clerkOrgId)} AND coalesce(${schema}::text, '') = ${literal(tenantSchema)}`;
}

/**
 * SQL for a tenant's status; NULL if it has no row. Read it under the tenant's lock. A registry without a unique key may
 * have the row twice.
 */
export function statusIn(names: Names, tenant: TenantNames): string {
  const { table, status } = registrySql(names);
  return `(SELECT ${statusOf(names, status)} FROM ${table} WHERE ${whereRow(names, tenant)} LIMIT 1)`;
}

function updateStatus(names: Names, shape: RegistryShape, where: string, { from, to }: Change): string {
  const { table, status } = registrySql(names);
  return notifying(
    names,
    `UPDATE ${table} SET ${status} = ${writtenStatus(names, to)}${touched(names, shape)}
          WHERE ${where} AND ${hasStatus(names, status, from)}`,
  );
}

/** The end of a SET list; sets the update time if the registry has such a column. */
export function touched(names: Names, shape: RegistryShape): string {
  return isTime(shape, names.columns.updated) ? `, ${registrySql(names).updated} = now()` : '';
}

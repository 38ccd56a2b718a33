import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { isTime, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, writtenStatus } from './registry-sql.ts';

/** All status changes that tenantctl makes. */
export const TRANSITIONS = {
  /** Null if there is no row. PROVISIONING was left by a dead process, or its lock is being waited for. */
  provision: {
    from: [null, 'PROVISIONING', 'FAILED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
    failed: 'FAILED',
  },
} as const;

/** The statuses of tenants that are not complete. */
export const UNFINISHED: readonly TenantStatus[] = TRANSITIONS.provision.from.filter(
  (status) => status !== null,
);

/** The statement that ends provisioning. */
export function setStatus(
  names: Names,
  shape: RegistryShape,
  tenantSchema: string,
  word: typeof TRANSITIONS.provision.to | typeof TRANSITIONS.provision.failed,
): string {
  const { table, schema, status } = registrySql(names);
  return `UPDATE ${table} SET ${status} = ${writtenStatus(names, word)}${touched(names, shape)}
          WHERE ${schema}::text = ${literal(tenantSchema)} AND ${hasStatus(names, status, UNFINISHED)}`;
}

/** The end of a SET list; sets the update time if the registry has such a column. */
export function touched(names: Names, shape: RegistryShape): string {
  return isTime(shape, names.columns.updated) ? `, ${registrySql(names).updated} = now()` : '';
}

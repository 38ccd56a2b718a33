import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { isTime, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, writtenStatus } from './registry-sql.ts';

/** Every way in which tenantctl changes a status. No other is made. */
export const TRANSITIONS = {
  /**
   * From a null status if the organization has no row. A tenant that is PROVISIONING was begun by a process that has died,
   * or by one whose lock is waited for.
   */
  provision: {
    from: [null, 'PROVISIONING', 'FAILED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
    failed: 'FAILED',
  },
} as const;

/** The statuses of a tenant that is still to be made. */
export const UNFINISHED: readonly TenantStatus[] = TRANSITIONS.provision.from.filter(
  (status) => status !== null,
);

/** The statement that ends the provisioning of a tenant. */
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

/** The end of a SET list that notes when a row was changed, if the registry has a column for it. */
export function touched(names: Names, shape: RegistryShape): string {
  return isTime(shape, names.columns.updated) ? `, ${registrySql(names).updated} = now()` : '';
}

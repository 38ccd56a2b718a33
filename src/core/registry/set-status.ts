import { literal } from '../../db/sql.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { isTime, type RegistryShape } from './registry-shape.ts';
import { statusesFrom, TRANSITIONS } from './transitions.ts';
import { hasStatus, registrySql, writtenStatus } from './registry-sql.ts';

/** Statuses of a tenant that is still to be made. */
export const UNFINISHED: readonly TenantStatus[] = statusesFrom(TRANSITIONS.provision);

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

/** The end of a SET list that notes when a row was changed, where the registry has a column for it. */
export function touched(names: Names, shape: RegistryShape): string {
  return isTime(shape, names.columns.updated) ? `, ${registrySql(names).updated} = now()` : '';
}

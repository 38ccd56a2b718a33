import { literal } from '../../db/sql.ts';
import type { Provisioning } from '../tenant/make-tenant.ts';

/** Statuses of a tenant that is still to be made. */
export const UNFINISHED = ['PROVISIONING', 'FAILED'];

export function setStatus(
  { hasUpdatedAt }: Pick<Provisioning, 'hasUpdatedAt'>,
  schema: string,
  status: 'ACTIVE' | 'FAILED',
): string {
  return `UPDATE public.tenants SET status = ${literal(status)}${hasUpdatedAt ? ', updated_at = now()' : ''}
          WHERE schema_name = ${literal(schema)} AND status::text IN ('PROVISIONING', 'FAILED')`;
}

import { literal } from '../../db/sql.ts';

/** Statuses of a tenant that is still to be made. */
export const UNFINISHED = ['PROVISIONING', 'FAILED'];

export function setStatus(
  { hasUpdatedAt }: { readonly hasUpdatedAt: boolean },
  schema: string,
  status: 'ACTIVE' | 'FAILED',
): string {
  return `UPDATE public.tenants SET status = ${literal(status)}${hasUpdatedAt ? ', updated_at = now()' : ''}
          WHERE schema_name = ${literal(schema)} AND status::text IN ('PROVISIONING', 'FAILED')`;
}

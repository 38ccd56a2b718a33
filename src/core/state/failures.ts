import { tenantId } from './tenant-ids.ts';
import { literal } from '../../db/sql.ts';
import type { ErrorReport } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

export interface RecordedFailure {
  readonly command: string;
  readonly error: ErrorReport;
  readonly failedAt: Date;
}

/** @param migration only if it was a failure of this migration */
export function forgetFailure(schema: string, migration?: string): string {
  const also = migration === undefined ? '' : ` AND error ->> 'migration' = ${literal(migration)}`;
  return `DELETE FROM tenantctl.tenant_failures WHERE tenant = ${tenantId(schema)}${also}`;
}

export async function forgetFailures(database: Database, schemas: readonly string[]): Promise<void> {
  if (schemas.length === 0) return;
  await database.query(
    `DELETE FROM tenantctl.tenant_failures f USING tenantctl.tenants k
     WHERE k.id = f.tenant AND k.schema_name = ANY ($1::text[]) AND k.gone_at IS NULL`,
    [schemas],
  );
}

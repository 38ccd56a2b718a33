import type { TenantNames } from '../../../names.ts';
import type { Database } from '../../../db/database.ts';
import { registrySql } from '../../registry/registry-sql.ts';
import { readStateVersion, TENANT_IDS_SINCE } from '../../state/version.ts';

/**
 * The tenant that a run in the ledger has renamed from one name to another, if it still has that one: the same command
 * again, after its answer was lost, is no error.
 */
export async function readEarlierRename(
  database: Database,
  former: string,
  organizationId: string,
): Promise<TenantNames | undefined> {
  if ((await readStateVersion(database)) < TENANT_IDS_SINCE) return undefined;
  const { table, organization, schema } = registrySql(database.names);
  const { rows } = await database.query<{ clerkOrgId: string; schema: string }>(
    `SELECT k.clerk_org_id AS "clerkOrgId", k.schema_name AS schema
     FROM ${table} t
     JOIN tenantctl.tenants k ON k.schema_name = t.${schema}::text AND k.clerk_org_id = t.${organization}::text AND k.gone_at IS NULL
     WHERE t.${organization}::text = $2 AND EXISTS (
       SELECT FROM tenantctl.runs r JOIN tenantctl.run_tenants x ON x.run = r.id
       WHERE r.command = 'tenant rename' AND r.options -> 'tenants' ->> 0 = $1 AND r.options ->> 'organization' = $2
         AND x.tenant = k.id AND x.outcome = 'renamed')`,
    [former, organizationId],
  );
  return rows[0];
}

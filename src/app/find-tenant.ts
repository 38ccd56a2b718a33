import type { Pool } from 'pg';
import { registrySql, statusOf } from '../core/registry/registry-sql.ts';
import { assertOrganizationId } from '../core/registry/schema-name.ts';
import { literal } from '../db/sql.ts';
import type { Names } from '../names.ts';
import { unknownTenant } from './admission.ts';
import { queryRaw } from './query-raw.ts';

/** A row of the registry. */
export interface FoundTenant {
  readonly clerkOrgId: string;
  /** Null if its row names none. */
  readonly schema: string | null;
  /** A TenantStatus; a value of the column that REGISTRY_STATUSES does not map is as it is. */
  readonly status: string;
}

/** Reads one row of the registry. @throws TenantctlError TENANT_UNKNOWN, ORGANIZATION_ID_INVALID */
export async function findTenant(pool: Pool, names: Names, org: string): Promise<FoundTenant> {
  assertOrganizationId(org);
  const { organization } = registrySql(names);
  const [found] = await queryRaw<FoundTenant>(
    pool,
    `${selectTenants(names)} WHERE t.${organization} = ${literal(org)}`,
  );
  if (found === undefined) throw unknownTenant(org);
  return found;
}

/** The query for rows of the registry, named `t`. */
export function selectTenants(names: Names): string {
  const { table, organization, schema, status } = registrySql(names);
  return `SELECT t.${organization}::text AS "clerkOrgId", t.${schema}::text AS schema, ${statusOf(names, `t.${status}`)} AS status FROM ${table} t`;
}

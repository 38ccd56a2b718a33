import type { PoolClient } from 'pg';
import { isPerTenant, roleNameFor } from '../../../db/role-name.ts';
import { identifier, literal } from '../../../db/sql.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { RemovedTenant } from './removal-result.ts';

/** The tenant's role of its own: it owns the schema, and TENANT_ROLE names it. */
export function ownRole(
  { tenantRole }: Pick<RunContext, 'tenantRole'>,
  { schema, owner }: Pick<RemovedTenant, 'schema' | 'owner'>,
): string | undefined {
  if (tenantRole === undefined || owner === null || !isPerTenant(tenantRole)) return undefined;
  return roleNameFor(tenantRole, schema) === owner ? owner : undefined;
}

/**
 * Drops the tenant's role of its own, after its schema, in the same transaction. It stays, with a warning, if it owns
 * other objects, or if the login role may not drop it.
 */
export async function dropOwnRole(
  context: Pick<RunContext, 'tenantRole' | 'warnings'>,
  client: PoolClient,
  tenant: RemovedTenant,
): Promise<void> {
  const role = ownRole(context, tenant);
  if (role === undefined) return;
  // DROP OWNED drops what a role owns, and takes its rights on everything else away.
  await client.query(`DO $$ BEGIN
    IF NOT EXISTS (
      SELECT FROM pg_shdepend s JOIN pg_roles r ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
      WHERE r.rolname = ${literal(role)} AND (s.deptype = 'o' OR s.dbid NOT IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))) THEN
      EXECUTE ${literal(`DROP OWNED BY ${identifier(role)}`)};
      EXECUTE ${literal(`DROP ROLE ${identifier(role)}`)};
    END IF;
  EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist OR undefined_object THEN NULL;
  END $$`);
  const { rows } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rows.length > 0)
    context.warnings.add(
      `The role ${role} of "${tenant.clerkOrgId}" stays: it owns other objects, or this role may not drop it.`,
    );
}

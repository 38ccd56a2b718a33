import { lockKey, withTransaction } from '../../db/transaction.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Registration } from '../registry/register-tenants.ts';
import { readRoles } from './role-facts.ts';
import { isPerTenant, roleNameFor } from '../../db/role-name.ts';
import { readinessToMake } from './role-readiness.ts';

/** A role that a new tenant's schema may be given to. */
export interface PreparedRole {
  readonly name: string;
  /** What has to be done in the transaction that creates the schema, before that. */
  readonly statements: readonly string[];
  /** It is created there. */
  readonly isNew: boolean;
}

/** Why a new tenant cannot have the role that it should have. */
export interface RefusedRole {
  readonly name: string;
  readonly error: TenantctlError;
}

/**
 * With a tenantRole, the roles of tenants that are to be made, by schema. One query, whatever the number of tenants. A
 * role that all share is created here; one of a tenant's own comes and goes with the tenant's transaction.
 */
export async function prepareRoles(
  { database, tenantRole }: Pick<RunContext, 'database' | 'tenantRole'>,
  registrations: readonly Registration[],
): Promise<Map<string, PreparedRole | RefusedRole>> {
  const prepared = new Map<string, PreparedRole | RefusedRole>();
  if (tenantRole === undefined) return prepared;
  const wanted = new Map<string, string>();
  for (const registration of registrations) {
    if ('error' in registration || registration.status === 'ACTIVE') continue;
    try {
      wanted.set(registration.schema, roleNameFor(tenantRole, registration.schema));
    } catch (error) {
      prepared.set(registration.schema, { name: '', error: toTenantctlError(error) });
    }
  }
  if (wanted.size === 0) return prepared;
  if (!isPerTenant(tenantRole)) await makeShared(database, tenantRole);
  const roles = await readRoles(database, [...new Set(wanted.values())]);
  for (const [schema, name] of wanted) {
    const readiness = readinessToMake(name, roles);
    prepared.set(schema, { name, isNew: !roles.byName.has(name), ...readiness });
  }
  return prepared;
}

/** Creates the role that all tenants share, or joins it, where that is to be done and may be. */
async function makeShared(database: RunContext['database'], name: string): Promise<void> {
  const readiness = readinessToMake(name, await readRoles(database, [name]));
  if ('error' in readiness || readiness.statements.length === 0) return;
  // Two commands may come here at once: the second waits, then looks again.
  const lock = `SELECT pg_advisory_xact_lock(${lockKey("'roles'")})`;
  await withTransaction(database, {}, [lock], async ({ client }) => {
    const roles = await readRoles(
      { serverVersion: database.serverVersion, query: client.query.bind(client) },
      [name],
    );
    const now = readinessToMake(name, roles);
    if ('statements' in now) for (const statement of now.statements) await client.query(statement);
  });
}

/** Why the tenant is not made; undefined where nothing is against its role. */
export function roleErrorOf(role: PreparedRole | RefusedRole | undefined): TenantctlError | undefined {
  return role !== undefined && 'error' in role ? role.error : undefined;
}

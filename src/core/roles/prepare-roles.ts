import { withTransaction } from '../../db/transaction.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Registration } from '../registry/register-tenants.ts';
import { readRoles } from './role-facts.ts';
import { isPerTenant, roleNameFor } from '../../db/role-name.ts';
import { readinessToMake } from './role-readiness.ts';
import { lockKey } from '../../db/advisory-lock.ts';

/** A role that can own a new tenant's schema. */
export interface PreparedRole {
  readonly name: string;
  /** To run before the schema is created, in the same transaction. */
  readonly statements: readonly string[];
  /** The statements create it. */
  readonly isNew: boolean;
}

/** Why a new tenant cannot have its role. */
export interface RefusedRole {
  readonly name: string;
  readonly error: TenantctlError;
}

/** Roles by schema, if there is a tenantRole. A shared role is created now, the others with their tenants. */
export async function prepareRoles(
  { database, tenantRole }: Pick<RunContext, 'database' | 'tenantRole'>,
  registrations: readonly Registration[],
): Promise<Map<string, PreparedRole | RefusedRole>> {
  const prepared = new Map<string, PreparedRole | RefusedRole>();
  if (tenantRole === undefined) return prepared;
  const wanted = new Map<string, string>();
  for (const registration of registrations) {
    if (registration.error !== undefined || registration.status === 'ACTIVE') continue;
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

/** Creates the shared role, or makes the login role a member, if needed and allowed. */
async function makeShared(database: RunContext['database'], name: string): Promise<void> {
  const readiness = readinessToMake(name, await readRoles(database, [name]));
  if ('error' in readiness || readiness.statements.length === 0) return;
  // If two commands run at once, the second waits and looks again.
  const lock = `SELECT pg_advisory_xact_lock(${lockKey("'roles'")})`;
  await withTransaction(database, {}, [lock], async ({ client }) => {
    const roles = await readRoles(
      { hasMembershipOptions: database.hasMembershipOptions, query: client.query.bind(client) },
      [name],
    );
    const now = readinessToMake(name, roles);
    if ('statements' in now) for (const statement of now.statements) await client.query(statement);
  });
}

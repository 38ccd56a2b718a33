import { isPerTenant } from '../../db/role-name.ts';
import type { Names } from '../../names.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { lockTableOf } from '../target/history.ts';
import { readRoles, type Roles } from '../roles/role-facts.ts';
import type { Database } from '../../db/database.ts';
import { identifier } from '../../db/sql.ts';
import { lacksInheritance, readinessToMake, reasonAgainstOwner } from '../roles/role-readiness.ts';
import type { Attempt } from './attempt.ts';
import { failed, ok, refused, skipped, warning, type CheckTable, type Verdict } from './check.ts';
import { giveToRoles } from './ownership.ts';
import { counted, listed } from '../../wording.ts';

export interface TenantRoleFacts {
  readonly pattern: string;
  readonly roles: Roles;
  /** Schemas with tables of other owners, which migrations cannot alter. */
  readonly mixed: readonly string[];
  /** How a tenant's role could run its code through tenantctl, by way of the history. */
  readonly untrusted: readonly string[];
  /** Every role may create objects in public, as by default up to PostgreSQL 14. */
  readonly isPublicOpen: boolean;
}

/** A few queries for any fleet size. Knex's tables belong to tenantctl, not to the tenant. */
export async function readTenantRoleFacts(
  database: Database,
  pattern: string,
  tenants: readonly Pick<RegisteredTenant, 'schema' | 'owner'>[],
  hasRoutines: boolean,
): Promise<TenantRoleFacts> {
  const { tenantHistory } = database.names;
  const { rows } = await database.query<{ schema: string }>(
    `SELECT n.nspname::text AS schema FROM pg_namespace n
     WHERE n.nspname = ANY ($1)
       AND EXISTS (SELECT FROM pg_class c
                   WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND c.relname <> ALL ($2) AND c.relowner <> n.nspowner)
     ORDER BY 1`,
    [tenants.map(({ schema }) => schema), [tenantHistory, lockTableOf(tenantHistory)]],
  );
  const owners = new Set(tenants.flatMap(({ owner }) => owner ?? []));
  if (!isPerTenant(pattern)) owners.add(pattern);
  const roles = await readRoles(database, [...owners]);
  const histories = hasRoutines
    ? await database.query<{ problem: string | null }>(
        `SELECT tenantctl.untrusted(n.nspname::text, pg_get_userbyid(n.nspowner)::text) AS problem
         FROM pg_namespace n WHERE n.nspname = ANY ($1) ORDER BY 1`,
        [tenants.map(({ schema }) => schema)],
      )
    : { rows: [] };
  const untrusted = histories.rows.flatMap(({ problem }) => problem ?? []);
  const open = await database.query<{ is_open: boolean }>(
    `SELECT has_schema_privilege('public', 'public', 'CREATE') AS is_open`,
  );
  const isPublicOpen = open.rows[0]?.is_open === true;
  return { pattern, roles, mixed: rows.map(({ schema }) => schema), untrusted, isPublicOpen };
}

export const ROLES: CheckTable<Attempt<TenantRoleFacts> | undefined> = {
  'create-roles': ['Roles for tenants', createRoles],
};

/** Whether new tenants can get the role that TENANT_ROLE specifies. */
function createRoles(attempted: Attempt<TenantRoleFacts> | undefined): Verdict {
  if (attempted === undefined) return skipped('TENANT_ROLE is not set');
  const { facts, error } = attempted;
  if (error !== undefined) return refused(error);
  const { roles, pattern } = facts;
  const { self } = roles;
  const isShared = !isPerTenant(pattern);
  // A future tenant's role does not exist yet.
  const readiness = readinessToMake(pattern, isShared ? roles : { ...roles, byName: new Map() });
  if (!('error' in readiness)) {
    const perTenant = `${self.name} may create a role for each new tenant`;
    return ok(isShared ? `new tenants get the role ${pattern}` : perTenant);
  }
  if (isShared) return refused(readiness.error);
  // Not a failure: someone else may create the roles in advance.
  return self.createsRoles
    ? warning(readiness.error.message, readiness.error.hint ?? '')
    : warning(
        `${self.name} may not create roles, so it can provision only tenants whose role exists`,
        `ALTER ROLE ${identifier(self.name)} CREATEROLE; -- as a superuser`,
      );
}

/** Whether migrations can run as the owners of the tenant schemas. */
export function actsAsOwners(
  { facts, error: unread }: Attempt<TenantRoleFacts>,
  names: Names,
  tenants: readonly Pick<RegisteredTenant, 'schema' | 'owner'>[],
): Verdict {
  if (unread !== undefined) return refused(unread);
  const { pattern, roles, mixed, untrusted, isPublicOpen } = facts;
  const { self } = roles;
  const give = `${giveToRoles(names, pattern, self.name, roles.hasMembershipOptions)} -- as a superuser`;
  const owned = tenants.flatMap(({ schema, owner }) => (owner === null ? [] : [{ schema, owner }]));
  const unusable = owned.flatMap(({ schema, owner }) => {
    const error = reasonAgainstOwner(owner, schema, roles);
    return error === undefined ? [] : [{ schema, owner, error }];
  });
  const [first] = unusable;
  if (first !== undefined) {
    const { owner, error } = first;
    return failed(
      `migrations of ${counted(unusable.length, 'tenant schema')} cannot run as the owner: ${listed(unusable.map(({ schema }) => schema))}. ${error.message}`,
      lacksInheritance(owner, roles) ? (error.hint ?? '') : give,
      'TENANT_ROLE_UNUSABLE',
    );
  }
  if (untrusted.length > 0) {
    return failed(
      `the tenant's role could run its code through tenantctl: ${listed(untrusted)}`,
      `Find out who made that table, and drop its triggers, rules and policies. If its rows are right, give it to ${self.name}:\n${give}`,
      'HISTORY_UNTRUSTED',
    );
  }
  if (mixed.length > 0) {
    return warning(
      `in ${listed(mixed)} some tables do not belong to the owner of the schema, so its migrations cannot alter them`,
      give,
    );
  }
  if (isPublicOpen) {
    return warning(
      "every role may create functions and operators in public, a tenant's too, and tenantctl may then call them",
      'REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- in a master migration',
    );
  }
  if (owned.length === 0) return ok('there is no tenant schema yet');
  return ok(`${self.name} may act as the owner of every tenant schema`);
}

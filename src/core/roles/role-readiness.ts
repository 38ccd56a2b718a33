import { identifier } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { RoleFacts, Roles } from './role-facts.ts';

/** The statements needed before a role can own a tenant's schema, or why it cannot. */
export type Readiness = { readonly statements: readonly string[] } | { readonly error: TenantctlError };

/** Makes a role a member of another, with its rights and the right to switch to it. */
function grantMembership(name: string, grantee: string, hasMembershipOptions: boolean): string {
  return `GRANT ${identifier(name)} TO ${grantee}${membershipOptions(hasMembershipOptions)}`;
}

/** Before PostgreSQL 16, INHERIT is an attribute of the grantee, and SET comes with membership. */
export function membershipOptions(hasMembershipOptions: boolean): string {
  return hasMembershipOptions ? ' WITH INHERIT TRUE, SET TRUE' : '';
}

/** The role may become another without inheriting its rights: before 16 no GRANT changes that. Pure. */
export function lacksInheritance(name: string, { byName, hasMembershipOptions }: Roles): boolean {
  const role = byName.get(name);
  return role?.mayBecome === true && !role.inherits && !hasMembershipOptions;
}

function createRole(name: string): string {
  return `CREATE ROLE ${identifier(name)} NOLOGIN`;
}

/** What a role needs to own a new schema. Pure. @returns an error TENANT_ROLE_UNUSABLE with the SQL to run */
export function readinessToMake(name: string, roles: Roles): Readiness {
  const { self, byName, hasMembershipOptions } = roles;
  const role = byName.get(name);
  const join = grantMembership(name, 'CURRENT_USER', hasMembershipOptions);
  if (role === undefined) {
    if (self.isSuperuser) return { statements: [createRole(name)] };
    if (!self.createsRoles) {
      return {
        error: unusable(
          `The role "${name}" does not exist, and ${self.name} may not create roles.`,
          `As a superuser: ${createRole(name)}; ${grantMembership(name, identifier(self.name), hasMembershipOptions)}; or let tenantctl do it for every tenant: ALTER ROLE ${identifier(self.name)} CREATEROLE;`,
        ),
      };
    }
    return self.inheritsByDefault || hasMembershipOptions
      ? { statements: [createRole(name), join] }
      : { error: withoutInheritance(name, self.name) };
  }
  if (role.isSelf || role.isSuperuser) return { error: unsafe(role) };
  if (role.mayBecome && role.inherits) return { statements: [] };
  if (lacksInheritance(name, roles)) return { error: withoutInheritance(name, self.name) };
  return role.mayJoin ? { statements: [join] } : { error: notMember(name, roles) };
}

/** Why a tenant's migrations cannot run as the owner of its schema; undefined if they can. Pure. */
export function reasonAgainstOwner(owner: string, schema: string, roles: Roles): TenantctlError | undefined {
  const role = roles.byName.get(owner);
  if (role === undefined)
    return unusable(`The schema ${schema} belongs to a role that does not exist any more.`, ASK_DOCTOR);
  if (role.isSelf || role.isSuperuser) {
    const who = role.isSelf ? 'which tenantctl itself works as' : 'a superuser';
    return unusable(
      `TENANT_ROLE is set, and the schema ${schema} belongs to ${owner}, ${who}: nothing would keep its migrations from other tenants.`,
      ASK_DOCTOR,
    );
  }
  if (role.mayBecome && role.inherits) return undefined;
  return lacksInheritance(owner, roles)
    ? withoutInheritance(owner, roles.self.name)
    : notMember(owner, roles);
}

const ASK_DOCTOR =
  'tenantctl doctor has the SQL that gives each tenant schema to its role. Or unset TENANT_ROLE. Nothing was changed.';

function unsafe({ name, isSelf }: RoleFacts): TenantctlError {
  return isSelf
    ? unusable(
        `The role "${name}" is the one that tenantctl itself works as: nothing would keep a tenant's migrations from other tenants.`,
        "Name another role in TENANT_ROLE, or in --owner-role of tenantctl tenant provision: '{schema}_owner', say, gives each tenant one of its own.",
      )
    : unusable(
        `The role "${name}" is a superuser: nothing would keep it from other tenants.`,
        'Name a role that is no superuser in TENANT_ROLE, or in --owner-role of tenantctl tenant provision.',
      );
}

function notMember(name: string, { self, hasMembershipOptions }: Roles): TenantctlError {
  return unusable(
    `${self.name} is not a member of the role "${name}", or may not switch to it.`,
    `As a superuser, or a role that may grant it: ${grantMembership(name, identifier(self.name), hasMembershipOptions)};`,
  );
}

function withoutInheritance(name: string, self: string): TenantctlError {
  return unusable(
    `${self} would not have the rights of "${name}" as its member: it is NOINHERIT.`,
    `As a superuser: ALTER ROLE ${identifier(self)} INHERIT;`,
  );
}

function unusable(message: string, hint: string): TenantctlError {
  return new TenantctlError('TENANT_ROLE_UNUSABLE', message, { hint });
}

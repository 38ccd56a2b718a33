import { isPerTenant } from '../../db/role-name.ts';
import type { Names } from '../../names.ts';
import { isRegistry } from '../registry/registry-shape.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf } from '../target/history.ts';
import { readRoles, type Roles } from '../roles/role-facts.ts';
import type { Database } from '../../db/database.ts';
import { identifier } from '../../db/sql.ts';
import { lacksInheritance, readinessToMake, reasonAgainstOwner } from '../roles/role-readiness.ts';
import type { Attempt } from './attempt.ts';
import { failed, ok, skipped, unknown, warning, type Check } from './check.ts';
import { giveToRoles } from './give-to-roles.ts';
import { counted, listed } from '../../wording.ts';

/** The owners of tenant schemas, and what the role that is logged in may do as them. */
export interface TenantRoleFacts {
  readonly names: Names;
  /** The owners, and the role that all tenants share, if any. */
  readonly roles: Roles;
  readonly schemas: readonly OwnedSchema[];
}

export interface OwnedSchema {
  readonly schema: string;
  readonly owner: string;
  /** It has tables of other owners, which its migrations cannot alter. */
  readonly hasStrays: boolean;
}

/** Two queries for any number of tenants. Knex's tables belong to tenantctl, not to the tenant. */
export async function readTenantRoleFacts(database: Database, pattern: string): Promise<TenantRoleFacts> {
  const { rows: registry } = await database.query(`SELECT FROM pg_class c
    WHERE ${isRegistry(database.names, 'c')}`);
  const schemas = registry.length === 0 ? [] : await readSchemas(database);
  const owners = new Set(schemas.map(({ owner }) => owner));
  if (!isPerTenant(pattern)) owners.add(pattern);
  return { names: database.names, roles: await readRoles(database, [...owners]), schemas };
}

async function readSchemas(database: Database): Promise<OwnedSchema[]> {
  const { tenantHistory } = database.names;
  const { table, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string; owner: string; strays: boolean }>(
    `SELECT n.nspname::text AS schema, pg_get_userbyid(n.nspowner)::text AS owner,
            EXISTS (SELECT FROM pg_class c
                    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                      AND c.relname <> ALL ($1::text[]) AND c.relowner <> n.nspowner) AS strays
     FROM pg_namespace n WHERE n.nspname IN (SELECT ${schema}::name FROM ${table})
     ORDER BY 1`,
    [[tenantHistory, lockTableOf(tenantHistory)]],
  );
  return rows.map(({ schema, owner, strays }) => ({ schema, owner, hasStrays: strays }));
}

/** Decides whether new tenants can have the role that TENANT_ROLE names. Pure. */
export function createRolesCheck(
  attempted: Attempt<TenantRoleFacts> | undefined,
  pattern: string | undefined,
): Check {
  const id = 'create-roles';
  if (attempted === undefined || pattern === undefined) return skipped(id, 'TENANT_ROLE is not set');
  if (attempted.facts === undefined) {
    return attempted.error.sqlstate === '42501'
      ? skipped(id, 'the rights on tables come first')
      : unknown(id, attempted.error);
  }
  const { roles } = attempted.facts;
  const { self } = roles;
  if (!isPerTenant(pattern)) {
    const readiness = readinessToMake(pattern, roles);
    return 'statements' in readiness
      ? ok(id, `new tenants get the role ${pattern}`)
      : unknown(id, readiness.error);
  }
  // The role of a tenant that is yet to come does not exist.
  const readiness = readinessToMake(pattern, { ...roles, byName: new Map() });
  if ('statements' in readiness) return ok(id, `${self.name} may create a role for each new tenant`);
  // No failure: somebody else may make each role beforehand.
  return self.createsRoles
    ? warning(id, readiness.error.message, readiness.error.hint ?? '')
    : warning(
        id,
        `${self.name} may not create roles, so it can provision only those whose role was made for them`,
        `ALTER ROLE ${identifier(self.name)} CREATEROLE; -- as a superuser`,
      );
}

/** Decides whether tenants' migrations can run as the owners of their schemas. Pure. */
export function tenantRoleCheck(attempted: Attempt<TenantRoleFacts>, pattern: string): Check {
  const id = 'tenant-rights';
  if (attempted.facts === undefined) return unknown(id, attempted.error);
  const { names: inDatabase, roles, schemas } = attempted.facts;
  const { self } = roles;
  const remedy = () =>
    `${giveToRoles(inDatabase, pattern, self.name, roles.hasMembershipOptions)} -- as a superuser`;
  const refused = schemas.flatMap(({ schema, owner }) => {
    const error = reasonAgainstOwner(owner, schema, roles);
    return error === undefined ? [] : [{ schema, owner, error }];
  });
  const [first] = refused;
  if (first !== undefined) {
    const names = listed(refused.map(({ schema }) => schema));
    return failed(
      id,
      `${counted(refused.length, 'tenant schema')} whose migrations cannot run as its owner: ${names}. ${first.error.message}`,
      lacksInheritance(first.owner, roles) ? (first.error.hint ?? '') : remedy(),
      'TENANT_ROLE_UNUSABLE',
    );
  }
  const mixed = schemas.filter(({ hasStrays }) => hasStrays).map(({ schema }) => schema);
  return mixed.length > 0
    ? warning(
        id,
        `in ${listed(mixed)} not every table belongs to the owner of the schema, whose migrations cannot alter it`,
        remedy(),
      )
    : ok(
        id,
        schemas.length === 0
          ? 'there is no tenant schema yet'
          : `${self.name} may act as the owner of every tenant schema`,
      );
}

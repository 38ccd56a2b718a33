import { isPerTenant } from '../../db/role-name.ts';
import type { Names } from '../../names.ts';
import { isRegistry } from '../registry/registry.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf } from '../target/history.ts';
import { readRoles, type Roles } from '../roles/role-facts.ts';
import type { Database } from '../../db/database.ts';

/** To whom tenant schemas belong, and what the role that is logged in may do as their owners. */
export interface TenantRoleFacts {
  readonly names: Names;
  /** The owners, and the role that all tenants share where there is one. */
  readonly roles: Roles;
  readonly schemas: readonly OwnedSchema[];
}

export interface OwnedSchema {
  readonly schema: string;
  readonly owner: string;
  /** A table in it belongs to somebody else, so that the owner's migrations cannot alter it. */
  readonly hasStrays: boolean;
}

/** Two queries, whatever the number of tenants. Knex's own tables belong to tenantctl and not to the tenant. */
export async function readTenantRoleFacts(database: Database, pattern: string): Promise<TenantRoleFacts> {
  const { rows: registry } = await database.query(`SELECT FROM pg_class c
    WHERE ${isRegistry(database.names, 'c')} AND c.relkind IN ('r', 'p', 'v', 'f')`);
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

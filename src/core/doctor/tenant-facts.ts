import { lockTableOf } from '../target/history.ts';
import { literal } from '../../db/sql.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { SYSTEM_SCHEMA } from '../registry/schema-name.ts';
import { readGroups, readMembers, type Scope, type StampedTenant } from '../fleet/fleet-facts.ts';
import { toMembers, type Member } from '../fleet/member.ts';
import { readApplicationRoles, type ApplicationRole } from './application-role.ts';
import type { Database } from '../../db/database.ts';

export interface TenantFacts {
  readonly tenants: readonly StampedTenant[];
  /** Tenants whose schema exists and whose history the role may read. */
  readonly members: readonly Member[];
  readonly foreign: readonly ForeignSchema[];
  readonly applications: readonly ApplicationRole[];
}

/** A tenant schema that the role does not own, or that contains tables of other roles. */
export interface ForeignSchema {
  readonly schema: string;
  readonly owner: string;
  /** The role can still create objects there and write the history. */
  readonly isUsable: boolean;
}

/** Reads every history table, regardless of stamps. */
export async function readTenantFacts(database: Database, scope: Scope): Promise<TenantFacts> {
  const foreign = await readForeign(database);
  const unreadable = new Set(foreign.filter(({ isUsable }) => !isUsable).map(({ schema }) => schema));
  const tenants: StampedTenant[] = [];
  const members: Member[] = [];
  for await (const page of readMembers(database, scope, await readGroups(database, scope))) {
    tenants.push(...page);
    const readable = page.filter(({ hasSchema, schema }) => hasSchema && !unreadable.has(schema));
    members.push(...(await toMembers(database, readable, new Map())));
  }
  const active = tenants.filter(({ status, hasSchema }) => status === 'ACTIVE' && hasSchema);
  const schemas = active.map(({ schema }) => schema);
  const applications = await readApplicationRoles(database, schemas);
  return { tenants, members, foreign, applications };
}

/** Only the owner may alter a table: https://www.postgresql.org/docs/current/ddl-priv.html */
async function readForeign(database: Database): Promise<ForeignSchema[]> {
  const { tenantHistory } = database.names;
  const { table, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string; owner: string; isUsable: boolean }>(
    `WITH own AS MATERIALIZED (SELECT oid FROM pg_roles WHERE pg_has_role(current_user, oid, 'USAGE')),
          tables AS (SELECT relnamespace AS namespace, min(relowner::bigint)::oid AS owner
                     FROM pg_class
                     WHERE relkind IN ('r', 'p') AND relowner NOT IN (SELECT oid FROM own)
                     GROUP BY 1)
     SELECT n.nspname::text AS schema,
            pg_get_userbyid(CASE WHEN n.nspowner IN (SELECT oid FROM own) THEN t.owner ELSE n.nspowner END)::text AS owner,
            has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
            AND NOT EXISTS (SELECT FROM pg_class c
                            WHERE c.relnamespace = n.oid AND c.relname = ANY ($1) AND c.relkind IN ('r', 'p')
                              AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                   AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))) AS "isUsable"
     FROM pg_namespace n LEFT JOIN tables t ON t.namespace = n.oid
     WHERE n.nspname IN (SELECT ${schema}::name FROM ${table}) AND n.nspname !~ ${literal(SYSTEM_SCHEMA.source)}
       AND (t.owner IS NOT NULL OR n.nspowner NOT IN (SELECT oid FROM own))
     ORDER BY 1`,
    [[tenantHistory, lockTableOf(tenantHistory)]],
  );
  return rows;
}

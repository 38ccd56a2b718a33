import { literal } from '../../db/sql.ts';
import type { Names, TenantNames } from '../../names.ts';
import { organizationSql, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql } from './registry-sql.ts';
import { CHANNEL, statusIn, touched, whereRow } from './status.ts';
import { RENAMABLE } from './transitions.ts';

/** What the registry and the catalog say before a rename. */
export interface RenameFacts {
  /** Null if the row is gone. */
  readonly status: string | null;
  /** The owner of the schema; null if there is no schema. */
  readonly owner: string | null;
  /** How the registry writes the new organization id. */
  readonly written: string;
  /** The schema of the new organization, if it has a row of its own. */
  readonly schemaOfNew: string | null;
  /** Another organization, whose row names one of the two schemas. */
  readonly sharedWith: TenantNames | null;
  /** The new name is that of a schema. */
  readonly isTaken: boolean;
  /** tenantctl knows the tenant by both of its names. */
  readonly isKnown: boolean;
}

/** SELECT of the RenameFacts. */
export function selectRenameFacts(
  names: Names,
  shape: RegistryShape,
  from: TenantNames,
  to: TenantNames,
): string {
  const { clerkOrgId, schema } = from;
  const { table, organization, schema: schemaColumn } = registrySql(names);
  const id = `t.${organization}::text`;
  const newId = organizationSql(names, shape, to.clerkOrgId);
  return `SELECT
    ${statusIn(names, from)} AS status,
    (SELECT pg_get_userbyid(n.nspowner)::text FROM pg_namespace n WHERE n.nspname = ${literal(schema)}) AS owner,
    (${newId})::text AS written,
    (SELECT coalesce(t.${schemaColumn}::text, '') FROM ${table} t
     WHERE t.${organization} = ${newId} AND ${id} <> ${literal(clerkOrgId)} LIMIT 1) AS "schemaOfNew",
    (SELECT jsonb_build_object('clerkOrgId', ${id}, 'schema', t.${schemaColumn}::text) FROM ${table} t WHERE t.${schemaColumn}::text IN (${literal(schema)}, ${literal(to.schema)})
     AND ${id} <> ${literal(clerkOrgId)} LIMIT 1) AS "sharedWith",
    EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = ${literal(to.schema)}) AS "isTaken",
    EXISTS (SELECT FROM tenantctl.tenants k WHERE k.schema_name = ${literal(schema)}
            AND k.clerk_org_id = ${literal(clerkOrgId)} AND k.gone_at IS NULL) AS "isKnown"`;
}

/**
 * The statement that gives a tenant's row other names, and notifies the channel of both organizations when the
 * transaction commits. It returns a row if there was one.
 */
export function renameRow(names: Names, shape: RegistryShape, from: TenantNames, to: TenantNames): string {
  const { table, organization, schema: schemaColumn, status } = registrySql(names);
  return `WITH changed AS (
      UPDATE ${table} SET ${organization} = ${organizationSql(names, shape, to.clerkOrgId)}, ${schemaColumn} = ${literal(to.schema)}${touched(names, shape)}
      WHERE ${whereRow(names, from)} AND ${hasStatus(names, status, RENAMABLE)} RETURNING 1)
    SELECT pg_notify('${CHANNEL}', ${literal(from.clerkOrgId)}), pg_notify('${CHANNEL}', ${literal(to.clerkOrgId)}) FROM changed`;
}

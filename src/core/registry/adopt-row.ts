import { literal } from '../../db/sql.ts';
import type { Names, TenantNames } from '../../names.ts';
import { columnsToFill, organizationSql, type RegistryShape } from './registry-shape.ts';
import { registrySql, statusOf, writtenStatus } from './registry-sql.ts';
import { touched } from './status.ts';
import { TRANSITIONS } from './transitions.ts';

/** What the registry and the catalog say before an adoption. */
export interface AdoptFacts {
  /** The owner of the schema; null if there is no schema. */
  readonly owner: string | null;
  /** How the registry writes the organization id. */
  readonly written: string;
  /** The extension that has made the schema, or whose objects are there; null if there is none. */
  readonly extension: string | null;
  /** The organization whose row names the schema. */
  readonly ownedBy: string | null;
  /** The organization's row; null if there is none. */
  readonly row: { readonly schema: string; readonly status: string } | null;
}

/** SELECT of the AdoptFacts. */
export function selectAdoptFacts(
  names: Names,
  shape: RegistryShape,
  { clerkOrgId, schema }: TenantNames,
): string {
  const { table, organization, schema: schemaColumn, status } = registrySql(names);
  const id = organizationSql(names, shape, clerkOrgId);
  return `SELECT
    (SELECT pg_get_userbyid(n.nspowner)::text FROM pg_namespace n WHERE n.nspname = ${literal(schema)}) AS owner,
    (SELECT coalesce((SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                      WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e' LIMIT 1),
                     (SELECT min(e.extname) FROM pg_extension e WHERE e.extnamespace = n.oid AND NOT EXISTS (
                        SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = ${literal(names.tenantHistory)})))::text
     FROM pg_namespace n WHERE n.nspname = ${literal(schema)}) AS extension,
    (${id})::text AS written,
    (SELECT t.${organization}::text FROM ${table} t WHERE t.${schemaColumn}::text = ${literal(schema)} LIMIT 1) AS "ownedBy",
    (SELECT json_build_object('schema', coalesce(t.${schemaColumn}::text, ''), 'status', ${statusOf(names, `t.${status}`)})
     FROM ${table} t WHERE t.${organization} = ${id} LIMIT 1) AS row`;
}

/**
 * The statement that registers an organization as ACTIVE, with an existing schema: it inserts a row, or completes the
 * organization's row that names no schema. It returns a row if it did.
 * @param hasRow the organization has a row
 */
export function adoptRow(
  names: Names,
  shape: RegistryShape,
  { clerkOrgId, schema }: TenantNames,
  hasRow: boolean,
): string {
  const { table, organization, schema: schemaColumn, status } = registrySql(names);
  const id = organizationSql(names, shape, clerkOrgId);
  const active = writtenStatus(names, TRANSITIONS.adopt.to);
  const isFree = `NOT EXISTS (SELECT FROM ${table} o WHERE o.${schemaColumn}::text = ${literal(schema)})`;
  return hasRow
    ? `UPDATE ${table} t SET ${schemaColumn} = ${literal(schema)}, ${status} = ${active}${touched(names, shape)}
       WHERE t.${organization} = ${id} AND coalesce(t.${schemaColumn}::text, '') = '' AND ${isFree} RETURNING 1`
    : `INSERT INTO ${table} (${organization}, ${schemaColumn}, ${status})
       SELECT ${id}, ${literal(schema)}, ${active} WHERE ${isFree} RETURNING 1`;
}

/** Whether tenantctl can insert rows itself. */
export function takesRows(names: Names, shape: RegistryShape): boolean {
  return shape.takesInsert && columnsToFill(shape, names).length === 0;
}

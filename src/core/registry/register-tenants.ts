import type { QueryResultRow } from 'pg';
import { literal } from '../../db/sql.ts';
import type { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import type { VerbIntent } from '../state/unfinished-verb.ts';
import {
  misspelt,
  refusedRow,
  refusedSchema,
  rowNeeded,
  taken,
  unregistered,
  withoutSchema,
} from './registration-errors.ts';
import { columnsToFill, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, statusOf, writtenStatus } from './registry-sql.ts';
import { touched } from './status.ts';
import { TRANSITIONS, UNFINISHED } from './transitions.ts';
import type { Database } from '../../db/database.ts';

/** A registry row; or, without schema and status, the error that says why there is none. */
export interface Registration {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly status: string;
  readonly isNew: boolean;
  readonly isKnown: boolean;
  /** A verb that has begun and not ended. */
  readonly unfinished?: VerbIntent | undefined;
  readonly error?: TenantctlError;
}

export function refusedRegistration(clerkOrgId: string, error: TenantctlError): Registration {
  return { clerkOrgId, schema: '', status: '', isNew: false, isKnown: true, error };
}

interface Wanted {
  readonly clerkOrgId: string;
  /** The schema name for a row that has none yet. */
  readonly schema: string;
}

/**
 * Gives each organization a row with status PROVISIONING, committed at once; existing rows are kept. If the
 * registry does not accept INSERT, the row must exist: with no schema or the expected one, and with no
 * status, PROVISIONING or FAILED. A new row gets a new tenantctl id, even if a former tenant had its names.
 * @param also asks something in the same round trip, after the rows are made
 * @returns in this order; errors: SCHEMA_NAME_TAKEN by another organization; SCHEMA_UNREGISTERED if the
 *   schema exists without a tenant (it may hold data); TENANT_UNKNOWN if the row is missing;
 *   TENANT_NOT_ACTIVE if the row must not be used; and the registry's own
 */
export async function registerTenants(
  database: Database,
  shape: RegistryShape,
  all: readonly Wanted[],
  also?: (one: Database) => Promise<void>,
): Promise<Registration[]> {
  try {
    return await registerAll(database, shape, all, also);
  } catch (error) {
    const [only] = all;
    if (only !== undefined && all.length === 1)
      return [refusedRegistration(only.clerkOrgId, refusedRow(database.names, only.clerkOrgId, error))];
  }
  // One row that the registry rejects must not affect the others.
  const each: Registration[] = [];
  for (const one of all) each.push(...(await registerTenants(database, shape, [one])));
  return each;
}

async function registerAll(
  database: Database,
  shape: RegistryShape,
  all: readonly Wanted[],
  also?: (one: Database) => Promise<void>,
): Promise<Registration[]> {
  const spelling = await readMisspelt(database, shape, all);
  const wanted = all.filter(({ clerkOrgId }) => !spelling.has(clerkOrgId));
  const [added, found] = await database.together((one) => [
    insertRows(one, database.names, shape, wanted),
    readRows(one, wanted),
    also?.(one),
  ]);
  let rows = found;
  const ids = new Set(wanted.map(({ clerkOrgId }) => clerkOrgId));
  if (rows.some((row) => ids.has(row.clerkOrgId) && (row.schema === '' || row.status === ''))) {
    await claimRows(database, shape, wanted);
    rows = await readRows(database, wanted);
  }
  const byId = new Map(rows.map((row) => [row.clerkOrgId, row]));
  const bySchema = new Map(rows.map((row) => [row.schema, row]));
  return all.map((one) => {
    const { clerkOrgId, schema } = one;
    const written = spelling.get(clerkOrgId);
    if (written !== undefined)
      return refusedRegistration(clerkOrgId, misspelt(clerkOrgId, written, `Provision "${written}".`));
    const own = byId.get(clerkOrgId);
    const unusable = own && whyUnusable(own);
    if (own !== undefined && own.schema !== '' && unusable === undefined)
      return { ...own, isNew: added.has(clerkOrgId) };
    const error = unusable ?? refusalOf(database.names, shape, one, own, bySchema.get(schema)?.clerkOrgId);
    return refusedRegistration(clerkOrgId, error);
  });
}

/** Why the schema in an organization's row cannot be its own. */
function whyUnusable({ clerkOrgId, schema, sharedWith }: Row): TenantctlError | undefined {
  if (sharedWith !== null && schema !== '') return taken(clerkOrgId, schema, sharedWith);
  return refusedSchema({ clerkOrgId, schema });
}

/** Why an organization has no schema in the registry. */
function refusalOf(
  names: Names,
  shape: RegistryShape,
  { clerkOrgId, schema }: Wanted,
  own: Row | undefined,
  other: string | undefined,
): TenantctlError {
  if (other !== undefined && other !== clerkOrgId) return taken(clerkOrgId, schema, other);
  const toFill = columnsToFill(shape, names);
  if (own === undefined && (!shape.takesInsert || toFill.length > 0))
    return rowNeeded(names, clerkOrgId, toFill);
  if (own !== undefined && own.status !== '' && !UNFINISHED.some((word) => word === own.status))
    return withoutSchema(names, clerkOrgId, own.status);
  return unregistered(clerkOrgId, schema);
}

/** Organization ids that the registry spells differently (such as an uppercase uuid), with its spelling. */
async function readMisspelt(
  database: Database,
  shape: RegistryShape,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<string, string>> {
  const column = shape.columns.get(database.names.columns.organization);
  if (column === undefined || ['text', 'varchar', 'name'].includes(column.type)) return new Map();
  const { table, organization } = registrySql(database.names);
  const { rows } = await database.query<{ id: string; written: string }>(
    `SELECT id, written FROM (
       SELECT w.id, coalesce((SELECT t.${organization}::text FROM ${table} t WHERE t.${organization} = w.id::${column.cast} LIMIT 1),
                             (w.id::${column.cast})::text) AS written
       FROM unnest($1::text[]) AS w (id)) spelt WHERE written <> id`,
    [wanted.map(({ clerkOrgId }) => clerkOrgId)],
  );
  return new Map(rows.map(({ id, written }) => [id, written]));
}

function valuesOf(wanted: readonly Wanted[]): string[][] {
  return [wanted.map(({ clerkOrgId }) => clerkOrgId), wanted.map(({ schema }) => schema)];
}

/** Those that cannot be inserted, because another has their names, are left out. @returns organizations with a new row */
export async function insertRows(
  connection: Pick<Database, 'query'>,
  names: Names,
  shape: RegistryShape,
  wanted: readonly Wanted[],
): Promise<ReadonlySet<string>> {
  if (!shape.takesInsert || columnsToFill(shape, names).length > 0) return new Set();
  const { table, organization, schema, status } = registrySql(names);
  const cast = shape.columns.get(names.columns.organization)?.cast ?? 'text';
  const { rows } = await connection.query<{ id: string }>(
    `WITH added AS (
       INSERT INTO ${table} (${organization}, ${schema}, ${status})
       SELECT w.id::${cast}, w.schema, ${writtenStatus(names, TRANSITIONS.provision.during)}
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (id, schema, place)
       WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.${organization}::text = w.id)
         AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.schema)
       ORDER BY w.place
       ON CONFLICT DO NOTHING
       RETURNING ${organization}::text AS id, ${schema}::text AS schema
     ), replaced AS (
       UPDATE tenantctl.tenants k SET gone_at = now() FROM added a
       WHERE k.schema_name = a.schema AND k.gone_at IS NULL
     )
     INSERT INTO tenantctl.tenants (clerk_org_id, schema_name) SELECT a.id, a.schema FROM added a
     RETURNING clerk_org_id AS id`,
    valuesOf(wanted),
  );
  return new Set(rows.map((row) => row.id));
}

interface Row extends Omit<Registration, 'isNew' | 'error'> {
  /** Another organization with the same schema. */
  readonly sharedWith: string | null;
}

async function readRows(database: Database, wanted: readonly Wanted[]): Promise<Row[]> {
  const { table, organization, schema, status } = registrySql(database.names);
  const { rows } = await database.query<Row & QueryResultRow>(
    `SELECT coalesce(t.${organization}::text, '') AS "clerkOrgId", coalesce(t.${schema}::text, '') AS schema,
            ${statusOf(database.names, `t.${status}`)} AS status, o.${organization}::text AS "sharedWith",
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.schema_name = t.${schema}::text
                    AND k.clerk_org_id = t.${organization}::text AND k.gone_at IS NULL) AS "isKnown"
     FROM ${table} t
     LEFT JOIN ${table} o ON o.${schema}::text = t.${schema}::text AND o.${organization}::text <> t.${organization}::text
     WHERE t.${organization}::text = ANY ($1::text[]) OR t.${schema}::text = ANY ($2::text[])`,
    valuesOf(wanted),
  );
  return rows;
}

/** Sets the schema name and PROVISIONING in rows that were inserted without a schema or status. */
async function claimRows(database: Database, shape: RegistryShape, wanted: readonly Wanted[]): Promise<void> {
  const { names } = database;
  const { table, organization, schema, status } = registrySql(names);
  await database.query(
    `UPDATE ${table} t SET ${schema} = w.schema, ${status} = ${writtenStatus(names, TRANSITIONS.provision.during)}${touched(names, shape)}
     FROM unnest($1::text[], $2::text[]) AS w (id, schema)
     WHERE t.${organization}::text = w.id AND (coalesce(t.${status}::text, '') = '' OR ${hasStatus(names, `t.${status}`, UNFINISHED)})
       AND (t.${schema}::text = w.schema
            OR coalesce(t.${schema}::text, '') = '' AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.schema))
       AND NOT EXISTS (SELECT FROM ${table} o WHERE o.${schema}::text = w.schema AND o.${organization}::text <> w.id)`,
    valuesOf(wanted),
  );
}

/** SQL for whether one of these organizations is to be provisioned. */
export function hasUnfinished(names: Names, organizationIds: readonly string[]): string {
  const { table, organization, status } = registrySql(names);
  return `EXISTS (SELECT FROM ${table} t WHERE t.${organization}::text IN (${organizationIds.map(literal).join(', ')})
                  AND ${hasStatus(names, `t.${status}`, UNFINISHED)})`;
}

/** Deletes the rows of tenants that were registered but not started. */
export async function unregisterTenants(
  database: Database,
  organizationIds: readonly string[],
): Promise<void> {
  if (organizationIds.length === 0) return;
  const { table, organization, schema, status } = registrySql(database.names);
  await database.query(
    `DELETE FROM ${table}
     WHERE ${organization}::text = ANY ($1::text[]) AND ${hasStatus(database.names, status, ['PROVISIONING'])}
       AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = ${schema})`,
    [organizationIds],
  );
}

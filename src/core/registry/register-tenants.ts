import type { QueryResultRow } from 'pg';
import type { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import {
  misspelt,
  refusedRow,
  rowNeeded,
  taken,
  unregistered,
  withoutSchema,
} from './registration-errors.ts';
import { columnsToFill, type RegistryShape } from './registry-shape.ts';
import { hasStatus, registrySql, statusOf, writtenStatus } from './registry-sql.ts';
import { TRANSITIONS, touched, UNFINISHED } from './status.ts';
import type { Database } from '../../db/database.ts';

/** An organization's row in the registry, or why it cannot have one. */
export type Registration =
  | {
      readonly schema: string;
      readonly status: string;
      readonly isNew: boolean;
      /** tenantctl has an id for the tenant. */
      readonly isKnown: boolean;
    }
  | { readonly error: TenantctlError };

interface Wanted {
  readonly clerkOrgId: string;
  /** The name of its schema, where it has none yet. */
  readonly schema: string;
}

/**
 * Gives each organization a row with status PROVISIONING, visible at once; a row that is there is kept. Where the
 * registry cannot be inserted into, the row must be there: with no schema, or the one that the organization is to have,
 * and with no status, PROVISIONING or FAILED.
 * @returns by organization id: its row; or SCHEMA_NAME_TAKEN where another organization has that schema name,
 *   SCHEMA_UNREGISTERED where a schema of that name is there and belongs to no tenant (it may hold somebody's data),
 *   TENANT_UNKNOWN where it needs a row, TENANT_NOT_ACTIVE where its row is not to be used,
 *   or what the registry itself had against the row
 *
 * A new row gets a new id of tenantctl's, also where a tenant that is gone had its names.
 */
export async function registerTenants(
  database: Database,
  shape: RegistryShape,
  all: readonly Wanted[],
): Promise<Map<string, Registration>> {
  try {
    const misspelt = await readMisspelt(database, shape, all);
    const wanted = all.filter(({ clerkOrgId }) => !misspelt.has(clerkOrgId));
    const added = await insertRows(database, shape, wanted);
    let rows = await readRows(database, wanted);
    const byId = new Map(wanted.map((one) => [one.clerkOrgId, one]));
    if (rows.some(({ id, schema, status }) => byId.has(id) && (schema === '' || status === ''))) {
      await claimRows(database, shape, wanted);
      rows = await readRows(database, wanted);
    }
    return new Map([...misspelt, ...toRegistrations(database.names, shape, wanted, rows, added)]);
  } catch (error) {
    const [only] = all;
    if (only === undefined) return new Map();
    if (all.length === 1)
      return new Map([[only.clerkOrgId, { error: refusedRow(database.names, only.clerkOrgId, error) }]]);
  }
  // One row that the registry does not take must not keep the others out.
  const each = new Map<string, Registration>();
  for (const one of all) {
    for (const [id, registration] of await registerTenants(database, shape, [one]))
      each.set(id, registration);
  }
  return each;
}

/** Organization ids that the registry writes in another way: a uuid in capitals, say. */
async function readMisspelt(
  database: Database,
  shape: RegistryShape,
  wanted: readonly Wanted[],
): Promise<Map<string, Registration>> {
  const { type, cast } = shape.columns.get(database.names.columns.organization) ?? {
    type: 'text',
    cast: 'text',
  };
  if (['text', 'varchar', 'name'].includes(type)) return new Map();
  const { table, organization } = registrySql(database.names);
  const { rows } = await database.query<{ id: string; written: string }>(
    `SELECT id, written FROM (
       SELECT w.id, coalesce((SELECT t.${organization}::text FROM ${table} t WHERE t.${organization} = w.id::${cast} LIMIT 1),
                             (w.id::${cast})::text) AS written
       FROM unnest($1::text[]) AS w (id)) spelt WHERE written <> id`,
    [wanted.map(({ clerkOrgId }) => clerkOrgId)],
  );
  return new Map(rows.map(({ id, written }) => [id, { error: misspelt(id, written) }]));
}

function valuesOf(wanted: readonly Wanted[]): string[][] {
  return [wanted.map(({ clerkOrgId }) => clerkOrgId), wanted.map(({ schema }) => schema)];
}

/** @returns the organizations whose row is new */
async function insertRows(
  database: Database,
  shape: RegistryShape,
  wanted: readonly Wanted[],
): Promise<ReadonlySet<string>> {
  const { names } = database;
  if (!shape.takesInsert || columnsToFill(shape, names).length > 0) return new Set();
  const { table, organization, schema, status } = registrySql(names);
  const cast = shape.columns.get(names.columns.organization)?.cast ?? 'text';
  const { rows } = await database.query<{ id: string }>(
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

interface Row {
  readonly id: string;
  readonly schema: string;
  readonly status: string;
  readonly isKnown: boolean;
}

async function readRows(database: Database, wanted: readonly Wanted[]): Promise<Row[]> {
  const { table, organization, schema, status } = registrySql(database.names);
  const { rows } = await database.query<Row & QueryResultRow>(
    `SELECT coalesce(${organization}::text, '') AS id, coalesce(${schema}::text, '') AS schema,
            ${statusOf(database.names, status)} AS status,
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.schema_name = t.${schema}::text
                    AND k.clerk_org_id = t.${organization}::text AND k.gone_at IS NULL) AS "isKnown"
     FROM ${table} t WHERE ${organization}::text = ANY ($1::text[]) OR ${schema}::text = ANY ($2::text[])`,
    valuesOf(wanted),
  );
  return rows;
}

/** Names the schema in rows that were inserted without one, and says PROVISIONING. */
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

/** Pure. */
function toRegistrations(
  names: Names,
  shape: RegistryShape,
  wanted: readonly Wanted[],
  rows: readonly Row[],
  added: ReadonlySet<string>,
): Map<string, Registration> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const bySchema = new Map(rows.map((row) => [row.schema, row]));
  return new Map(
    wanted.map(({ clerkOrgId, schema }): [string, Registration] => {
      const own = byId.get(clerkOrgId);
      const other = bySchema.get(schema)?.id;
      if (own !== undefined && own.schema !== '') {
        const { schema, status, isKnown } = own;
        return [clerkOrgId, { schema, status, isKnown, isNew: added.has(clerkOrgId) }];
      }
      if (other !== undefined && other !== clerkOrgId)
        return [clerkOrgId, { error: taken(clerkOrgId, schema, other) }];
      if (own === undefined) {
        const toFill = columnsToFill(shape, names);
        if (!shape.takesInsert || toFill.length > 0)
          return [clerkOrgId, { error: rowNeeded(names, clerkOrgId, toFill) }];
      } else if (own.status !== '' && !UNFINISHED.some((word) => word === own.status)) {
        return [clerkOrgId, { error: withoutSchema(names, clerkOrgId, own.status) }];
      }
      return [clerkOrgId, { error: unregistered(names, clerkOrgId, schema, own !== undefined) }];
    }),
  );
}

/** Takes back the rows of tenants that were registered and not begun. */
export async function unregisterTenants(
  database: Database,
  tenants: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<void> {
  if (tenants.length === 0) return;
  const { table, organization, schema, status } = registrySql(database.names);
  await database.query(
    `DELETE FROM ${table}
     WHERE ${organization}::text = ANY ($1::text[]) AND ${hasStatus(database.names, status, ['PROVISIONING'])}
       AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = ${schema})`,
    [tenants.map(({ clerkOrgId }) => clerkOrgId)],
  );
}

import { toDatabaseError } from '../../db/database-error.ts';
import { identifier } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { hasStatus, insertTenant, registrySql, statusOf, writtenStatus } from './registry-sql.ts';
import type { Database } from '../../db/database.ts';

/** An organization's row in the registry, or why it cannot have one. */
export type Registration =
  | { readonly schema: string; readonly status: string; readonly isNew: boolean }
  | { readonly error: TenantctlError };

/**
 * Writes the rows of new tenants with status PROVISIONING, visible at once; an organization that has a row keeps it.
 * @returns by organization id: its row; or SCHEMA_NAME_TAKEN where another organization has that schema name,
 *   SCHEMA_UNREGISTERED where a schema of that name is there and belongs to no tenant (it may hold somebody's data),
 *   or what the registry itself had against the row
 */
export async function registerTenants(
  database: Database,
  wanted: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<Map<string, Registration>> {
  const values = [wanted.map(({ clerkOrgId }) => clerkOrgId), wanted.map(({ schema }) => schema)];
  let added: ReadonlySet<string>;
  const { names } = database;
  const { table, organization, schema, status } = registrySql(names);
  try {
    const { rows } = await database.query<{ id: string }>(
      `INSERT INTO ${table} (${organization}, ${schema}, ${status})
       SELECT w.id, w.schema, ${writtenStatus(names, 'PROVISIONING')}
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (id, schema, place)
       WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.${organization}::text = w.id)
         AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.schema)
       ORDER BY w.place
       ON CONFLICT DO NOTHING
       RETURNING ${organization}::text AS id`,
      values,
    );
    added = new Set(rows.map((row) => row.id));
  } catch (error) {
    const [only] = wanted;
    if (only === undefined || wanted.length > 1) return registerOneByOne(database, wanted);
    return new Map([[only.clerkOrgId, { error: toDatabaseError(error, { tenant: only.clerkOrgId }) }]]);
  }
  const { rows } = await database.query<{ id: string; schema: string; status: string }>(
    `SELECT ${organization}::text AS id, ${schema}::text AS schema, ${statusOf(names, status)} AS status FROM ${table}
     WHERE ${organization}::text = ANY ($1::text[]) OR ${schema}::text = ANY ($2::text[])`,
    values,
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  const bySchema = new Map(rows.map((row) => [row.schema, row]));
  return new Map(
    wanted.map(({ clerkOrgId, schema }): [string, Registration] => {
      const own = byId.get(clerkOrgId);
      if (own !== undefined) {
        return [clerkOrgId, { schema: own.schema, status: own.status, isNew: added.has(clerkOrgId) }];
      }
      const other = bySchema.get(schema)?.id;
      return [
        clerkOrgId,
        {
          error:
            other === undefined ? unregistered(names, clerkOrgId, schema) : taken(clerkOrgId, schema, other),
        },
      ];
    }),
  );
}

/** One row that the registry does not take must not keep the others out. */
async function registerOneByOne(
  database: Database,
  wanted: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<Map<string, Registration>> {
  const all = new Map<string, Registration>();
  for (const one of wanted) {
    for (const [id, registration] of await registerTenants(database, [one])) all.set(id, registration);
  }
  return all;
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

function taken(clerkOrgId: string, schema: string, other: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_NAME_TAKEN',
    `The schema ${schema} of organization "${clerkOrgId}" belongs to organization "${other}" already.`,
    {
      tenant: clerkOrgId,
      hint: 'Two organizations never share a schema, so this one is refused. Nothing was changed.',
    },
  );
}

function unregistered(names: Names, clerkOrgId: string, schema: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_UNREGISTERED',
    `The schema ${schema} exists already, and no tenant is registered for it. Nothing was changed.`,
    {
      tenant: clerkOrgId,
      hint: `To continue with what it holds, register it and provision again: ${insertTenant(names, clerkOrgId, schema)} To begin anew: DROP SCHEMA ${identifier(schema)} CASCADE;`,
    },
  );
}

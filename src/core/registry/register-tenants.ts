import { toDatabaseError } from '../../db/database-error.ts';
import { identifier, literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
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
  try {
    const { rows } = await database.query<{ clerk_org_id: string }>(
      `INSERT INTO public.tenants (clerk_org_id, schema_name, status)
       SELECT w.id, w.schema, 'PROVISIONING' FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (id, schema, place)
       WHERE NOT EXISTS (SELECT FROM public.tenants t WHERE t.clerk_org_id = w.id)
         AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.schema)
       ORDER BY w.place
       ON CONFLICT DO NOTHING
       RETURNING clerk_org_id`,
      values,
    );
    added = new Set(rows.map((row) => row.clerk_org_id));
  } catch (error) {
    const [only] = wanted;
    if (only === undefined || wanted.length > 1) return registerOneByOne(database, wanted);
    return new Map([[only.clerkOrgId, { error: toDatabaseError(error, { tenant: only.clerkOrgId }) }]]);
  }
  const { rows } = await database.query<{ clerk_org_id: string; schema_name: string; status: string }>(
    `SELECT clerk_org_id, schema_name, status::text AS status FROM public.tenants
     WHERE clerk_org_id = ANY ($1::text[]) OR schema_name = ANY ($2::text[])`,
    values,
  );
  const byId = new Map(rows.map((row) => [row.clerk_org_id, row]));
  const bySchema = new Map(rows.map((row) => [row.schema_name, row]));
  return new Map(
    wanted.map(({ clerkOrgId, schema }): [string, Registration] => {
      const own = byId.get(clerkOrgId);
      if (own !== undefined) {
        return [clerkOrgId, { schema: own.schema_name, status: own.status, isNew: added.has(clerkOrgId) }];
      }
      const other = bySchema.get(schema)?.clerk_org_id;
      return [
        clerkOrgId,
        {
          error: other === undefined ? unregistered(clerkOrgId, schema) : taken(clerkOrgId, schema, other),
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
  await database.query(
    `DELETE FROM public.tenants
     WHERE clerk_org_id = ANY ($1::text[]) AND status::text = 'PROVISIONING'
       AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema_name)`,
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

function unregistered(clerkOrgId: string, schema: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_UNREGISTERED',
    `The schema ${schema} exists already, and no tenant is registered for it. Nothing was changed.`,
    {
      tenant: clerkOrgId,
      hint:
        `To continue with what it holds, register it and provision again: INSERT INTO public.tenants (clerk_org_id, schema_name, status) ` +
        `VALUES (${literal(clerkOrgId)}, ${literal(schema)}, 'FAILED'); To begin anew: DROP SCHEMA ${identifier(schema)} CASCADE;`,
    },
  );
}

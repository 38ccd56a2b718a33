import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';

/**
 * PostgreSQL leaves a schema out of the search path of a role that has no USAGE on it, so that its objects are printed
 * with its name, and a history that cannot be read looks empty: each tenant would seem to differ.
 * @throws TenantctlError RIGHTS_MISSING
 */
export async function assertReadable(database: Database, schemas: readonly string[]): Promise<void> {
  const { rows } = await database.query<{ schema: string }>(
    `SELECT n.nspname::text AS schema FROM pg_namespace n
     LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = $2 AND h.relkind IN ('r', 'p')
     WHERE n.nspname = ANY ($1::text[])
       AND (NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(h.oid, 'SELECT'))
     ORDER BY 1`,
    [schemas, database.names.tenantHistory],
  );
  if (rows.length === 0) return;
  throw new TenantctlError(
    'RIGHTS_MISSING',
    `This role may not read the schemas and migration histories of ${listed(rows.map(({ schema }) => schema))}.`,
    {
      hint: `Connect as the role that migrates the tenants, or grant this role USAGE on these schemas and SELECT on their table ${database.names.tenantHistory}.`,
    },
  );
}

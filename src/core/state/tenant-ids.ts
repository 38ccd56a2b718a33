import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import type { Database } from '../../db/database.ts';

/** Stands for the master schema where a table refers to a tenant. */
export const MASTER_ID = '0';

/**
 * The tenants as tenantctl knows them. What it remembers of a tenant refers to `id`, which survives a change of either
 * name: docs/decisions/0023-a-tenants-own-id.md. A tenant that has left the registry keeps its row, for the ledger; a
 * new tenant may then have its names. The constraint is deferrable because tenants may swap their schemas' names.
 */
const TENANTS_TABLE: readonly string[] = [
  `CREATE TABLE tenantctl.tenants (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     clerk_org_id text,
     schema_name text NOT NULL,
     schema_oid oid,
     known_since timestamptz NOT NULL DEFAULT now(),
     gone_at timestamptz,
     CONSTRAINT tenants_schema_name EXCLUDE USING btree (schema_name WITH =) WHERE (gone_at IS NULL) DEFERRABLE)`,
  'CREATE INDEX tenants_clerk_org_id ON tenantctl.tenants (clerk_org_id)',
  'CREATE INDEX tenants_schema_oid ON tenantctl.tenants (schema_oid)',
  `COMMENT ON TABLE tenantctl.tenants IS
     'The tenants, each with an id of its own: what tenantctl remembers of a tenant refers to it, under whatever names.'`,
  `COMMENT ON COLUMN tenantctl.tenants.schema_oid IS 'The schema in pg_namespace, which keeps its oid when it is renamed.'`,
  `COMMENT ON COLUMN tenantctl.tenants.gone_at IS 'When the tenant was found to have left the registry.'`,
];

/** The upgrade from a state whose tables refer to a tenant by the name of its schema. The registry is not needed. */
export const TENANT_IDS: readonly string[] = [
  ...TENANTS_TABLE,
  `INSERT INTO tenantctl.tenants (clerk_org_id, schema_name)
   SELECT max(clerk_org_id), schema_name
   FROM (SELECT clerk_org_id, schema_name FROM tenantctl.run_tenants
         UNION ALL SELECT NULL, schema_name FROM tenantctl.tenant_failures
         UNION ALL SELECT NULL, schema_name FROM tenantctl.intents) remembered
   WHERE schema_name <> 'public' GROUP BY schema_name ORDER BY schema_name`,
  ...['run_tenants', 'tenant_failures', 'intents'].flatMap((table) => [
    `ALTER TABLE tenantctl.${table} ADD COLUMN tenant bigint`,
    `UPDATE tenantctl.${table} x SET tenant = t.id FROM tenantctl.tenants t WHERE t.schema_name = x.schema_name`,
    `UPDATE tenantctl.${table} SET tenant = ${MASTER_ID} WHERE schema_name = 'public'`,
  ]),
  ...['tenant_failures', 'intents'].map(
    (table) => `ALTER TABLE tenantctl.${table} DROP COLUMN schema_name, ADD PRIMARY KEY (tenant)`,
  ),
];

/** The id of the tenant that has this schema, as an SQL expression; NULL where tenantctl does not know it. */
export function tenantId(schema: string): string {
  return schema === 'public'
    ? MASTER_ID
    : `(SELECT id FROM tenantctl.tenants WHERE schema_name = ${literal(schema)} AND gone_at IS NULL)`;
}

/** The names of a row k of tenantctl.tenants, as FormerNames. */
export const FORMER = `jsonb_build_object('id', k.id, 'clerkOrgId', coalesce(k.clerk_org_id, ''), 'schema', k.schema_name)`;

/** The names that a tenant was known by. */
export interface FormerNames {
  readonly id: number;
  readonly clerkOrgId: string;
  readonly schema: string;
}

/** A tenant that the registry has under another name than tenantctl had. */
interface RenamedTenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly former: FormerNames;
  /** Both names have changed at once: whether it is the same tenant is for people to say. */
  readonly isAmbiguous: boolean;
}

/**
 * Brings the tenants that tenantctl knows in line with the registry: new ones get an id, those whose organization id or
 * schema name has changed keep theirs. One statement for the whole fleet; it writes only what has changed.
 * @returns the tenants that were found under another name
 */
export async function followRegistry(database: Database): Promise<RenamedTenant[]> {
  const follow = `SELECT organization AS "clerkOrgId", schema_name AS schema, former, is_ambiguous AS "isAmbiguous"
                  FROM tenantctl.follow_registry()`;
  // In a transaction of ours, which reads what is committed whatever the database's default is.
  return withTransaction(database, {}, [follow], ({ opening }) =>
    Promise.resolve((opening[0]?.rows ?? []) as RenamedTenant[]),
  );
}

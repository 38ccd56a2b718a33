import type { QueryResultRow } from 'pg';
import { TenantctlError } from '../../errors.ts';
import { literal } from '../../db/sql.ts';
import type { Database } from '../../db/database.ts';

/** Refers to the master schema in tables that refer to tenants. */
export const MASTER_ID = '0';

/**
 * The tenants known to tenantctl. Its records refer to `id`, which stays the same if a name changes:
 * docs/decisions/0023-a-tenants-own-id.md. A tenant that has left the registry keeps its row for the ledger;
 * a new tenant may reuse its names. The constraint is deferrable because tenants may swap schema names.
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

/** Upgrades tables that refer to tenants by schema name. Does not need the registry. */
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

/** SQL for the id of the tenant with this schema; NULL if tenantctl does not know it. */
export function tenantId(schema: string): string {
  return schema === 'public'
    ? MASTER_ID
    : `(SELECT id FROM tenantctl.tenants WHERE schema_name = ${literal(schema)} AND gone_at IS NULL)`;
}

/** The statement that gives a known tenant other names. It returns a row if there was one. */
export function renameKnown(from: Names, to: Names): string {
  return `UPDATE tenantctl.tenants SET clerk_org_id = ${literal(to.clerkOrgId)}, schema_name = ${literal(to.schema)}
          WHERE schema_name = ${literal(from.schema)} AND clerk_org_id = ${literal(from.clerkOrgId)} AND gone_at IS NULL RETURNING id`;
}

/**
 * The statement that makes a schema known as that of a tenant. A schema that was a tenant's before keeps that one's id,
 * and all that is remembered of it.
 */
export function knowAdopted({ clerkOrgId, schema }: Names): string {
  const names = `${literal(clerkOrgId)}, ${literal(schema)}`;
  return `WITH schema AS (SELECT oid FROM pg_namespace WHERE nspname = ${literal(schema)}),
      known AS (
        UPDATE tenantctl.tenants SET (clerk_org_id, schema_name, gone_at) = (SELECT ${names}, NULL::timestamptz)
        WHERE id = (SELECT max(k.id) FROM tenantctl.tenants k JOIN schema ON k.schema_oid = schema.oid) RETURNING id)
    INSERT INTO tenantctl.tenants (clerk_org_id, schema_name, schema_oid)
    SELECT ${names}, schema.oid FROM schema WHERE NOT EXISTS (SELECT FROM known)`;
}

/** SQL for the FormerNames of row k of tenantctl.tenants. */
export const FORMER = `jsonb_build_object('id', k.id, 'clerkOrgId', coalesce(k.clerk_org_id, ''), 'schema', k.schema_name)`;

export interface FormerNames {
  readonly id: number;
  readonly clerkOrgId: string;
  readonly schema: string;
}

interface RenamedTenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly former: FormerNames;
  /** A person must decide which tenant it is: both names changed at once, or rows may be swapped. */
  readonly isAmbiguous: boolean;
}

type Names = Pick<FormerNames, 'clerkOrgId' | 'schema'>;

/** An ambiguous tenant whose schema is known as that of another organization, which is still registered. */
export function isSwapped({ schema }: Pick<Names, 'schema'>, former: FormerNames | undefined): boolean {
  return schema === former?.schema;
}

/** Why commands leave an ambiguous tenant alone. @param former its earlier names, if they were read */
export function tenantAmbiguous({ clerkOrgId: tenant, schema }: Names, former?: FormerNames): TenantctlError {
  const hint = 'tenantctl doctor shows the SQL for either case.';
  if (former === undefined || !isSwapped({ schema }, former)) {
    const was = former && ` is perhaps "${former.clerkOrgId}" (${former.schema})`;
    const message = `"${tenant}" (${schema})${was ?? ''}: both names have changed at once. It may be another tenant.`;
    return new TenantctlError('TENANT_AMBIGUOUS', message, { tenant, hint });
  }
  const message = `The registry gives "${tenant}" the schema ${schema}, which is known as that of "${former.clerkOrgId}". Their rows may be swapped.`;
  return new TenantctlError('TENANT_SWAPPED', message, { tenant, hint });
}

/**
 * New tenants get an id, renamed ones keep theirs. One statement for the fleet; it writes only changes.
 * @returns the renamed tenants
 */
export async function followRegistry(database: Pick<Database, 'query'>): Promise<RenamedTenant[]> {
  const { rows } = await database.query<RenamedTenant & QueryResultRow>(
    `SELECT organization AS "clerkOrgId", schema_name AS schema, former, is_ambiguous AS "isAmbiguous"
     FROM tenantctl.follow_registry()`,
  );
  return rows;
}

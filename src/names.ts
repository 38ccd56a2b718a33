/** What a tenant's status can be. tenantctl works on ACTIVE tenants. */
export const STATUSES = ['PROVISIONING', 'ACTIVE', 'FAILED', 'SUSPENDED', 'ARCHIVED'] as const;
export type TenantStatus = (typeof STATUSES)[number];

/** What a database calls the registry and the history tables. Names as they are, without quotes. */
export interface Names {
  readonly registry: { readonly schema: string; readonly table: string };
  /** The registry's columns. It may lack `created` and `updated`. */
  readonly columns: {
    readonly organization: string;
    readonly schema: string;
    readonly status: string;
    readonly created: string;
    readonly updated: string;
  };
  /** What the status column holds for each status. The first value is the one that is written. */
  readonly statuses: Readonly<Record<TenantStatus, readonly string[]>>;
  /** Knex's table in `public`. */
  readonly masterHistory: string;
  /** Knex's table in each tenant schema. */
  readonly tenantHistory: string;
  /** What the names of new tenant schemas begin with. */
  readonly schemaPrefix: string;
}

export const DEFAULT_NAMES: Names = {
  registry: { schema: 'public', table: 'tenants' },
  columns: {
    organization: 'clerk_org_id',
    schema: 'schema_name',
    status: 'status',
    created: 'created_at',
    updated: 'updated_at',
  },
  statuses: {
    PROVISIONING: ['PROVISIONING'],
    ACTIVE: ['ACTIVE'],
    FAILED: ['FAILED'],
    SUSPENDED: ['SUSPENDED'],
    ARCHIVED: ['ARCHIVED'],
  },
  masterHistory: 'knex_migrations_master',
  tenantHistory: 'knex_migrations_tenant',
  schemaPrefix: 'tid_',
};

/** So many hexadecimal digits of a hash come after the prefix. */
export const HASH_LENGTH = 10;

/** The registry's name for messages. */
export function registryName({ registry }: Names): string {
  return `${registry.schema}.${registry.table}`;
}

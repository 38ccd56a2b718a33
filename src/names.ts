/** A tenant's possible statuses. tenantctl works on ACTIVE tenants. */
export const STATUSES = ['PROVISIONING', 'ACTIVE', 'FAILED', 'SUSPENDED', 'ARCHIVED'] as const;
export type TenantStatus = (typeof STATUSES)[number];

/** Statuses whose tenants are migrated only on request. */
export const INCLUDABLE = ['SUSPENDED'] as const;
export type IncludedStatus = (typeof INCLUDABLE)[number];

/** The names of registry and history tables, unquoted. */
export interface Names {
  readonly registry: { readonly schema: string; readonly table: string };
  /** Registry columns. `created` and `updated` are optional. */
  readonly columns: {
    readonly organization: string;
    readonly schema: string;
    readonly status: string;
    readonly created: string;
    readonly updated: string;
  };
  /** The status column's values for each status. The first is the one written. */
  readonly statuses: Readonly<Record<TenantStatus, readonly string[]>>;
  /** Knex's table in `public`. */
  readonly masterHistory: string;
  /** Knex's table in each tenant schema. */
  readonly tenantHistory: string;
  /** Prefix of new tenant schemas' names. */
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

/** Hexadecimal digits of a hash after the prefix. */
export const HASH_LENGTH = 10;

export function registryName({ registry }: Names): string {
  return `${registry.schema}.${registry.table}`;
}

/** PostgreSQL truncates longer names: https://www.postgresql.org/docs/current/sql-syntax-lexical.html */
export const MAX_NAME_BYTES = 63;

/** Suffix of Knex's lock table (knex/lib/migrations/migrate/table-resolver.js). */
export const LOCK_ENDING = '_lock';

/** A problem with names, and the variable that sets them. */
export interface NamesProblem {
  readonly variable: string;
  readonly message: string;
}

/** All problems of names in themselves, whether or not the database has them. Pure. */
export function problemsOf(names: Names): NamesProblem[] {
  const { registry, columns, statuses, masterHistory, tenantHistory, schemaPrefix } = names;
  const problems: NamesProblem[] = [];
  const check = (variable: string, name: string, reservedBytes = 0) => {
    const problem = nameProblem(name, reservedBytes);
    if (problem !== undefined) problems.push({ variable, message: problem });
  };
  for (const name of Object.values(registry)) check('REGISTRY_TABLE', name);
  for (const name of Object.values(columns)) check('REGISTRY_COLUMNS', name);
  check('MASTER_HISTORY_TABLE', masterHistory, LOCK_ENDING.length);
  check('TENANT_HISTORY_TABLE', tenantHistory, LOCK_ENDING.length);
  check('TENANT_SCHEMA_PREFIX', schemaPrefix, HASH_LENGTH);
  for (const [variable, table, schema] of [
    ['MASTER_HISTORY_TABLE', masterHistory, 'public'],
    ['TENANT_HISTORY_TABLE', tenantHistory, 'each tenant schema'],
  ] as const) {
    if (table.includes('.'))
      problems.push({
        variable,
        message: `"${table}" holds a dot: name the table alone, it is in ${schema}`,
      });
  }
  for (const [variable, schema] of [
    ['REGISTRY_TABLE', registry.schema],
    ['TENANT_SCHEMA_PREFIX', schemaPrefix],
  ] as const) {
    if (/^pg_|^information_schema$|^tenantctl$/.test(schema))
      problems.push({
        variable,
        message: `"${schema}" is reserved: choose a name that does not begin with pg_, and neither information_schema nor tenantctl`,
      });
  }
  if (registry.schema === 'public' && [masterHistory, masterHistory + LOCK_ENDING].includes(registry.table))
    problems.push({
      variable: 'MASTER_HISTORY_TABLE',
      message: `"${masterHistory}" takes the name of the registry: name two different tables`,
    });
  for (const name of repeated(Object.values(columns)))
    problems.push({
      variable: 'REGISTRY_COLUMNS',
      message: `"${name}" is named twice: each column has one meaning`,
    });
  for (const value of repeated(Object.values(statuses).flat())) {
    const words = STATUSES.filter((word) => statuses[word].includes(value));
    problems.push({
      variable: 'REGISTRY_STATUSES',
      message: `"${value}" stands for ${words.join(' and for ')}: map it once, and give the other status another value`,
    });
  }
  for (const word of STATUSES)
    if (statuses[word].length === 0 || statuses[word].includes(''))
      problems.push({
        variable: 'REGISTRY_STATUSES',
        message: `${word} has an empty value: write ${word}=value or leave it out`,
      });
  return problems;
}

function nameProblem(name: string, reservedBytes: number): string | undefined {
  if (name === '') return 'a name is empty: write the name, or leave it out for the default';
  const odd = /["'`\\$\p{Cc}]/u.exec(name)?.[0];
  if (odd !== undefined)
    return `${JSON.stringify(name)} holds ${JSON.stringify(odd)}: write the name as it is in the database, without quotes`;
  const most = MAX_NAME_BYTES - reservedBytes;
  return Buffer.byteLength(name, 'utf8') > most ? `"${name}" is too long: at most ${most} bytes` : undefined;
}

function repeated(values: readonly string[]): Set<string> {
  return new Set(values.filter((value, at) => values.indexOf(value) !== at));
}

/** Both names of a tenant. */
export interface TenantNames {
  readonly clerkOrgId: string;
  readonly schema: string;
}

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

/** How many hexadecimal digits of a hash follow the prefix. */
export const HASH_LENGTH = 10;

/** The registry's name for messages. */
export function registryName({ registry }: Names): string {
  return `${registry.schema}.${registry.table}`;
}

/** PostgreSQL cuts off what is longer (https://www.postgresql.org/docs/current/sql-syntax-lexical.html). */
export const MAX_NAME_BYTES = 63;

/** Knex's ending for the table of its lock (knex/lib/migrations/migrate/table-resolver.js). */
export const LOCK_ENDING = '_lock';

/** One thing that is wrong with names, and the variable that sets them. */
export interface NamesProblem {
  readonly variable: string;
  readonly message: string;
}

/** Everything that is wrong with names. Whether the database has them is not asked. Pure. */
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

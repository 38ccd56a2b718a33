import { checkDatabase } from '../options/check-call.ts';
import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { DEFAULT_NAMES, registryName, type Names, type TenantStatus } from '../../names.ts';
import { readStateVersion } from '../state/version.ts';
import { adoptionAdvice, readAdoption } from './adoption.ts';
import { ID_TYPES, TEXT_TYPES } from './column-types.ts';
import type { Database } from '../../db/database.ts';

export interface RegistryColumn {
  /** The base type in pg_type, without the domain. */
  readonly type: string;
  /** The type for a cast, in SQL. */
  readonly cast: string;
  readonly labels: readonly string[] | null;
  /** INSERT must provide a value. */
  readonly needsValue: boolean;
}

/** The registry according to the catalog. */
export interface RegistryShape {
  readonly columns: ReadonlyMap<string, RegistryColumn>;
  /** A plain table, so ALTER TABLE works. */
  readonly isTable: boolean;
  /** The role can insert into it, which may be a view. */
  readonly takesInsert: boolean;
}

const TIMES = ['timestamptz', 'timestamp', 'date'];

/** SQL that tests a pg_class row for being the registry. to_regclass would need USAGE on its schema. */
export function isRegistry({ registry }: Names, alias: string): string {
  return `${alias}.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ${literal(registry.schema)})
    AND ${alias}.relname = ${literal(registry.table)} AND ${alias}.relkind IN ('r', 'p', 'v', 'f')`;
}

export async function hasRegistryTable(client: Pick<Database, 'query'>, names: Names): Promise<boolean> {
  const { rows } = await client.query(`SELECT FROM pg_class c WHERE ${isRegistry(names, 'c')}`);
  return rows.length > 0;
}

export async function readRegistryShape(database: Database): Promise<RegistryShape | undefined> {
  const { rows } = await database.query<
    RegistryColumn & { name: string; isTable: boolean; takesInsert: boolean }
  >(
    `SELECT a.attname::text AS name, b.typname::text AS type, format_type(a.atttypid, NULL) AS cast,
            CASE b.typtype WHEN 'e' THEN ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder) END AS labels,
            (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL AS "needsValue",
            c.relkind = 'r' AS "isTable",
            pg_relation_is_updatable(c.oid, true) & 8 <> 0 AND has_any_column_privilege(c.oid, 'INSERT') AS "takesInsert"
     FROM pg_class c
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_type t ON t.oid = a.atttypid
     JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
     WHERE ${isRegistry(database.names, 'c')}`,
  );
  const [first] = rows;
  if (first === undefined) return undefined;
  const columns = new Map(rows.map(({ name, ...column }) => [name, column]));
  const { isTable, takesInsert } = first;
  return { columns, isTable, takesInsert };
}

/**
 * Checks that the registry exists and has the columns that tenantctl uses.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, NAMES_DIFFER
 */
export async function assertRegistry(database: Database): Promise<RegistryShape> {
  checkDatabase(database);
  const { names } = database;
  const shape = await readRegistryShape(database);
  const problem = shape === undefined ? 'does not exist' : problemOfRegistry(shape, names);
  if (shape !== undefined && problem === undefined) return shape;
  // If the database was set up with other names, NAMES_DIFFER explains the problem better.
  await readStateVersion(database);
  if (shape === undefined) {
    throw new TenantctlError(
      'REGISTRY_ABSENT',
      `There is no registry: the table ${registryName(names)} does not exist.`,
      {
        hint:
          adoptionAdvice(await readAdoption(database, false)) ??
          (isDefaultRegistry(names)
            ? 'Run tenantctl migrate master, which creates it. If the registry has another name, set REGISTRY_TABLE.'
            : 'Correct REGISTRY_TABLE, or apply the master migration that creates the table.'),
      },
    );
  }
  throw new TenantctlError('REGISTRY_INVALID', `The table ${registryName(names)} ${problem}.`, {
    hint: 'If the columns have other names, set REGISTRY_COLUMNS (organization=...,schema=...,status=...). tenantctl doctor shows the SQL for columns that are missing.',
  });
}

/**
 * assertRegistry for a command on tenants, which needs the version of the state, too.
 * @returns as readStateVersion
 */
export async function assertManaged(database: Database): Promise<number> {
  const [, version] = await database.together((one) => [assertRegistry(one), readStateVersion(one)]);
  return version;
}

/** The registry that the first master migration creates. */
export function isDefaultRegistry(names: Names): boolean {
  return registryName(names) === registryName(DEFAULT_NAMES);
}

export function missingColumns({ columns }: RegistryShape, names: Names): string[] {
  const { created, updated, ...needed } = names.columns;
  // Columns set by REGISTRY_COLUMNS must exist.
  const named = [
    ...(created === DEFAULT_NAMES.columns.created ? [] : [created]),
    ...(updated === DEFAULT_NAMES.columns.updated ? [] : [updated]),
  ];
  return [...Object.values(needed), ...named].filter((column) => !columns.has(column));
}

/** Why tenantctl cannot use the registry, as the end of a sentence; undefined if it can. */
export function problemOfRegistry(shape: RegistryShape, names: Names): string | undefined {
  const missing = missingColumns(shape, names);
  if (missing.length > 0) return `has no column ${missing.join(', ')}`;
  const { organization, schema, status } = names.columns;
  const wanted = [
    [organization, ID_TYPES, ''],
    [schema, TEXT_TYPES, ''],
    [status, TEXT_TYPES, ' or an enum'],
  ] as const;
  for (const [name, types, also] of wanted) {
    const column = shape.columns.get(name);
    const isRight = column === undefined || types.includes(column.type);
    if (isRight || (also !== '' && column.labels !== null)) continue;
    const shown = types.filter((type) => type !== 'bpchar').join(', ');
    return `has a column ${name} of type ${column.cast}: it must be ${shown}${also}`;
  }
  return undefined;
}

/** SQL for an organization id, as the registry's column holds it. */
export function organizationSql(names: Names, { columns }: RegistryShape, id: string): string {
  return `${literal(id)}::${columns.get(names.columns.organization)?.cast ?? 'text'}`;
}

/** Whether the column exists and has a time type. */
export function isTime({ columns }: RegistryShape, name: string): boolean {
  return TIMES.includes(columns.get(name)?.type ?? '');
}

/**
 * Checks that the status column can hold a status. What a constraint refuses is found out by the UPDATE.
 * @throws TenantctlError REGISTRY_INVALID
 */
export function assertHolds({ columns }: RegistryShape, names: Names, word: TenantStatus): void {
  const { status } = names.columns;
  const labels = columns.get(status)?.labels ?? undefined;
  const [written = word] = names.statuses[word];
  if (labels === undefined || labels.includes(written)) return;
  const message = `The column ${status} of ${registryName(names)} cannot hold ${literal(written)}: its type has ${labels.map(literal).join(', ')}.`;
  const hint = `Map ${word} to one of them in REGISTRY_STATUSES (${word}=<value>), or add a value to the type.`;
  throw new TenantctlError('REGISTRY_INVALID', message, { hint });
}

/** Columns that prevent an INSERT because they need a value that tenantctl does not have. */
export function columnsToFill({ columns }: RegistryShape, names: Names): string[] {
  const own: readonly string[] = Object.values(names.columns);
  return [...columns]
    .filter(([name, { needsValue }]) => needsValue && !own.includes(name))
    .map(([name]) => name);
}

import type { PoolClient } from 'pg';
import { CATALOGS, DROPPABLE } from './catalogs.ts';
import { objectKey, type ObjectName } from './before.ts';
import type { Target } from '../target/target.ts';
import { extensionOf, isOtherTenants, largestOid } from './own-objects.ts';
import { otherTenants } from './other-tenants.ts';

export interface Description {
  /** From pg_identify_object: "table", "function", ...; "public.countries", "public.add(integer,integer)". */
  readonly type: string;
  readonly identity: string;
  readonly isOtherTenants: boolean;
  /** The name of its extension (its own, if it is one), as identity. */
  readonly extension: string | null;
  /** A digest of everything that others may rely on; null if the object is not a relation. */
  readonly form: string | null;
}

/** Existing objects, by objectKey. */
export type Descriptions = ReadonlyMap<string, Description>;

export const NOTHING: Descriptions = new Map();

/** Readable views of catalogs that need privileges, with the column of the oid. */
const READABLE: ReadonlyMap<string, readonly [view: string, column: string]> = new Map([
  ['pg_authid', ['pg_roles', 'oid']],
  ['pg_user_mapping', ['pg_user_mappings', 'umid']],
]);

/** Columns of pg_class that change without an ALTER TABLE: by a foreign key to the table, or by ANALYZE. */
const PASSING = '{relhastriggers,relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}';

/** SQL for a digest of a relation, `r` in pg_class, without what a foreign key to it adds. */
export const FORM = `md5(concat_ws('|', (to_jsonb(r) - '${PASSING}'::text[])::text,
  (SELECT string_agg((to_jsonb(x) - '{attcacheoff,attmissingval}'::text[])::text, ',' ORDER BY x.attnum) FROM pg_catalog.pg_attribute x WHERE x.attrelid = r.oid),
  (SELECT string_agg(concat(x.adnum, ':', x.adbin), ',' ORDER BY x.adnum) FROM pg_catalog.pg_attrdef x WHERE x.adrelid = r.oid),
  (SELECT to_jsonb(x)::text FROM pg_catalog.pg_sequence x WHERE x.seqrelid = r.oid),
  (SELECT string_agg(to_jsonb(x)::text, ',' ORDER BY x.oid) FROM pg_catalog.pg_trigger x WHERE x.tgrelid = r.oid AND NOT x.tgisinternal),
  (SELECT count(*) FROM pg_catalog.pg_trigger x WHERE x.tgrelid = r.oid AND x.tgisinternal AND x.tgenabled <> 'O'),
  (SELECT string_agg(to_jsonb(x)::text, ',' ORDER BY x.oid) FROM pg_catalog.pg_constraint x WHERE x.conrelid = r.oid),
  (SELECT string_agg(to_jsonb(x)::text, ',' ORDER BY x.indexrelid) FROM pg_catalog.pg_index x WHERE x.indrelid = r.oid),
  (SELECT string_agg(to_jsonb(x)::text, ',' ORDER BY x.oid) FROM pg_catalog.pg_policy x WHERE x.polrelid = r.oid),
  (SELECT string_agg(to_jsonb(x)::text, ',' ORDER BY x.oid) FROM pg_catalog.pg_rewrite x WHERE x.ev_class = r.oid),
  (SELECT string_agg(x.inhrelid::text, ',' ORDER BY x.inhrelid) FROM pg_catalog.pg_inherits x WHERE x.inhparent = r.oid)))`;

/** SQL for the schema of an object `i` of pg_identify_object, which quotes names that need it. */
export const UNQUOTED_SCHEMA = '(parse_ident(i.schema))[1]';

/** SQL for the name of the schema that a row's object is in. */
function schemaOf(catalog: string): string {
  if (catalog === 'pg_namespace') return 'r.nspname::text';
  return catalog === 'pg_extension'
    ? '(SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE n.oid = r.extnamespace)'
    : UNQUOTED_SCHEMA;
}

interface Found extends ObjectName, Omit<Description, 'isOtherTenants'> {
  readonly schema: string | null;
}

/**
 * Describes existing objects. Temporary ones are left out, also of sessions that have ended: they are nobody's.
 * @param client the connection of the migration's transaction
 * @param read runs a query that reads only catalogs; on `client` if absent
 */
export async function describe(
  client: PoolClient,
  { schema }: Pick<Target, 'schema'>,
  objects: readonly ObjectName[],
  read: (query: string) => Promise<Found[]> = async (query) => (await client.query<Found>(query)).rows,
): Promise<Descriptions> {
  // The names come from the server; only known catalogs are queried.
  const byCatalog = Map.groupBy(objects, ({ catalog }) => catalog);
  const parts = [...byCatalog].flatMap(([catalog, some]) => {
    if (!DESCRIBABLE.has(catalog)) return [];
    const [source, column] = READABLE.get(catalog) ?? [catalog, 'oid'];
    const oids = [...new Set(some.map(({ oid }) => oid))];
    const place = schemaOf(catalog);
    return [
      `SELECT '${catalog}' AS catalog, r.${column}::text AS oid, i.type, i.identity,
         ${place} AS schema,
         (SELECT quote_ident(e.extname) FROM pg_catalog.pg_extension e WHERE e.oid = ${extensionOf(`'pg_catalog.${catalog}'::regclass`, `r.${column}`)}) AS extension,
         ${catalog === 'pg_class' ? FORM : 'NULL'} AS form
       FROM pg_catalog.${source} r, pg_identify_object('pg_catalog.${catalog}'::regclass, r.${column}, 0) i
       WHERE r.${column} = ANY ('{${oids.join(',')}}'::oid[]) AND coalesce(${place} !~ '^pg_(?:toast_)?temp(?:_|$)', true)`,
    ];
  });
  if (parts.length === 0) return NOTHING;
  const rows = await read(parts.join('\nUNION ALL '));
  const schemas = rows.flatMap((row) => row.schema ?? []);
  const others = await otherTenants(client, schema, schemas);
  return new Map(
    rows.map(({ catalog, oid, schema: of, ...description }) => [
      objectKey({ catalog, oid }),
      { ...description, isOtherTenants: others.includes(of ?? '') },
    ]),
  );
}

/** Catalogs that everybody may read, and whose rows have an oid. */
const DESCRIBABLE: ReadonlySet<string> = new Set([
  ...DROPPABLE,
  ...READABLE.keys(),
  ...CATALOGS.flatMap(({ name, of }) => (of === undefined && name !== 'pg_subscription' ? name : [])),
]);

/** The state of a single-session database before a tenant's migrations. */
export interface Remembered {
  readonly shared: Descriptions;
  readonly largestOid: number;
}

/** Reads what cannot be read later if all connections are one session. */
export async function remember(client: PoolClient, target: Pick<Target, 'schema'>): Promise<Remembered> {
  const largest = await client.query<{ oid: string }>(`SELECT ${largestOid(DROPPABLE)}::text AS oid`);
  const { rows } = await client.query<ObjectName>(
    `SELECT 'pg_class' AS catalog, c.oid::text AS oid
     FROM (SELECT s.oid FROM pg_catalog.pg_namespace s
           WHERE s.nspname !~ '^pg_' AND s.nspname <> $1 AND NOT ${isOtherTenants('s.nspname::text', '$1')} OFFSET 0) n
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
     WHERE c.oid >= 16384`,
    [target.schema],
  );
  return { shared: await describe(client, target, rows), largestOid: Number(largest.rows[0]?.oid ?? 0) };
}

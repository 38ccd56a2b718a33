import type { Database } from '../../../db/database.ts';
import { literal } from '../../../db/sql.ts';
import { checkDatabase } from '../../options/check-call.ts';
import { readTenants, type RegisteredTenant } from '../../registry/registry.ts';
import { assertRegistry } from '../../registry/registry-shape.ts';
import type { TenantNames } from '../../../names.ts';
import { registrySql } from '../../registry/registry-sql.ts';
import { newSchemaName, SYSTEM_SCHEMA } from '../../registry/schema-name.ts';
import { readStateVersion, TENANT_IDS_SINCE } from '../../state/version.ts';
import { lockTableOf, readHistories } from '../../target/history.ts';

/** A schema that no row of the registry names. */
export interface Candidate {
  readonly schema: string;
  readonly owner: string;
  /** Its tables, without those of the history. */
  readonly tables: number;
  readonly hasHistory: boolean;
  /** The newest migration in its history; null if there is none. */
  readonly newest: string | null;
  /** The organization that it belonged to, or must belong to by its name; null if that is not known. */
  readonly clerkOrgId: string | null;
}

export interface AdoptionCandidates {
  readonly schemas: readonly Candidate[];
  /** Rows whose schema does not exist, or that name none; those of ARCHIVED tenants need none. */
  readonly rows: readonly Pick<RegisteredTenant, 'clerkOrgId' | 'schema' | 'status'>[];
}

type Found = Omit<Candidate, 'newest'> & { readonly hasLock: boolean };

/**
 * Schemas without a row, and rows without a schema. Left out are the schemas of PostgreSQL, of tenantctl, of the
 * registry and of extensions, and `public`.
 */
export async function readAdoptionCandidates(database: Database): Promise<AdoptionCandidates> {
  checkDatabase(database);
  await assertRegistry(database);
  const found = await readUnregistered(database, await readStateVersion(database));
  const tenants = await readTenants(database);
  const registered = new Set(tenants.map(({ clerkOrgId }) => clerkOrgId));
  const unnamed = new Map(
    tenants.flatMap(({ clerkOrgId, schema }) =>
      schema === '' && clerkOrgId !== '' ? [[newSchemaName(database.names, clerkOrgId), clerkOrgId]] : [],
    ),
  );
  const histories = await readHistories(database, database.names.tenantHistory, found, { knexLock: false });
  const schemas = found.map(({ schema, owner, tables, hasHistory, clerkOrgId: former }) => {
    const newest = histories.get(schema)?.entries.at(-1)?.name ?? null;
    const known = former !== null && !registered.has(former) ? former : null;
    return { schema, owner, tables, hasHistory, newest, clerkOrgId: unnamed.get(schema) ?? known };
  });
  const rows = tenants
    .filter(
      ({ hasSchema, sharedBy, status }) => !hasSchema && (sharedBy ?? null) === null && status !== 'ARCHIVED',
    )
    .map(({ clerkOrgId, schema, status }) => ({ clerkOrgId, schema, status }));
  return { schemas, rows };
}

/**
 * Splits `schema=organization`. Either may hold a "=": it is split where the left part is a schema, or else at the first.
 * @param pairs each with a "="
 */
export async function splitPairs(database: Database, pairs: readonly string[]): Promise<TenantNames[]> {
  const placesOf = (pair: string) => [...pair.matchAll(/=/g)].map(({ index }) => index);
  const { rows } = await database.query<{ schema: string }>(
    'SELECT nspname::text AS schema FROM pg_namespace WHERE nspname = ANY ($1::text[])',
    [pairs.flatMap((pair) => placesOf(pair).map((at) => pair.slice(0, at)))],
  );
  const schemas = new Set(rows.map(({ schema }) => schema));
  return pairs.map((pair) => {
    const places = placesOf(pair);
    const at = places.findLast((place) => schemas.has(pair.slice(0, place))) ?? places[0] ?? pair.length;
    return { schema: pair.slice(0, at), clerkOrgId: pair.slice(at + 1) };
  });
}

/** Knows the organization of a schema that was a tenant's before. */
async function readUnregistered(database: Database, stateVersion: number): Promise<Found[]> {
  const { names } = database;
  const { table, schema } = registrySql(names);
  const histories = [names.tenantHistory, lockTableOf(names.tenantHistory)];
  const former =
    stateVersion < TENANT_IDS_SINCE
      ? 'NULL::text'
      : `(SELECT k.clerk_org_id FROM tenantctl.tenants k WHERE k.schema_oid = n.oid OR k.schema_name = n.nspname
          ORDER BY k.schema_oid = n.oid DESC NULLS LAST, k.id DESC LIMIT 1)`;
  const has = (name: string) => `coalesce(bool_or(c.relname = ${literal(name)}), false)`;
  const { rows } = await database.query<Found>(
    `SELECT n.nspname::text AS schema, pg_get_userbyid(n.nspowner)::text AS owner,
            (count(c.oid) FILTER (WHERE c.relname <> ALL ($1)))::int AS tables,
            ${has(names.tenantHistory)} AS "hasHistory", ${has(lockTableOf(names.tenantHistory))} AS "hasLock",
            ${former} AS "clerkOrgId"
     FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
     WHERE n.nspname !~ ${literal(SYSTEM_SCHEMA.source)} AND n.nspname <> ${literal(names.registry.schema)}
       AND NOT EXISTS (SELECT FROM ${table} t WHERE t.${schema}::text = n.nspname)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
     GROUP BY n.oid, n.nspname, n.nspowner
     HAVING bool_or(c.relname = ${literal(names.tenantHistory)}) OR NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
     ORDER BY n.nspname`,
    [histories],
  );
  return rows;
}

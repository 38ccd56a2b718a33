import type { Database } from '../../db/database.ts';
import type { UndoneTenant } from '../ledger/undo-of-run.ts';
import type { BackwardExtent } from '../plan/plan.ts';
import { registrySql } from '../registry/registry-sql.ts';
import type { HistoryTables } from '../target/history.ts';

/** A tenant that has left the registry. Its schema may be gone, and then has no history. */
export interface Stray extends HistoryTables {
  readonly clerkOrgId: string;
  readonly extent: BackwardExtent;
}

interface TenantsOfRun {
  /** By the schema of a tenant in the registry. */
  readonly extents: ReadonlyMap<string, BackwardExtent>;
  readonly strays: readonly Stray[];
}

/**
 * Finds the tenants of a run in the registry. One under whose names there is no row is looked for by the oid of
 * its schema: its organization and its schema may both have been renamed.
 */
export async function findTenantsOfRun(
  database: Database,
  tenants: readonly UndoneTenant[],
): Promise<TenantsOfRun> {
  const places = await findSchemas(database, tenants);
  const schemas = [...tenants.map(({ schema }) => schema), ...places.values()];
  const registered = await registeredSchemas(database, schemas);
  const isPresent = ({ isGone, schema }: UndoneTenant) => !isGone && registered.has(schema);
  const extents = new Map(tenants.filter(isPresent).map(({ schema, extent }) => [schema, extent]));
  const strays: Stray[] = [];
  for (const { id, clerkOrgId, extent, schema: last } of tenants.filter((tenant) => !isPresent(tenant))) {
    const place = id === null ? undefined : places.get(id);
    const schema = place ?? last;
    if (!registered.has(schema))
      strays.push({ clerkOrgId, extent, schema, hasHistory: true, hasLock: false });
    // Under its last name, another tenant may be registered by now.
    else if (place !== undefined) extents.set(place, extent);
  }
  return { extents, strays };
}

async function registeredSchemas(database: Database, schemas: readonly string[]): Promise<Set<string>> {
  if (schemas.length === 0) return new Set();
  const { table, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string }>(
    `SELECT ${schema}::text AS schema FROM ${table} WHERE ${schema}::text = ANY ($1)`,
    [schemas],
  );
  return new Set(rows.map((row) => row.schema));
}

/** What the schemas of these tenants are called now, by the tenant's id. */
async function findSchemas(
  database: Database,
  tenants: readonly UndoneTenant[],
): Promise<ReadonlyMap<string, string>> {
  const ids = tenants.flatMap(({ id }) => id ?? []);
  if (ids.length === 0) return new Map();
  const { rows } = await database.query<{ id: string; schema: string }>(
    `SELECT k.id::text AS id, n.nspname::text AS schema
     FROM tenantctl.tenants k JOIN pg_namespace n ON n.oid = k.schema_oid WHERE k.id = ANY ($1::bigint[])`,
    [ids],
  );
  return new Map(rows.map(({ id, schema }) => [id, schema]));
}

import type { PoolClient } from 'pg';
import { identifier, literal, qualified } from '../../db/sql.ts';
import type { Migration } from '../files/load.ts';
import type { Target } from '../target/target.ts';
import { isOtherTenants } from './own-objects.ts';
import { namesAnother, wouldReach } from './errors.ts';
import { isAllowed } from './guard.ts';
import type { NamedObject } from '../statements/named-objects.ts';
import type { ReadStatements } from '../statements/read-statements.ts';

/** Checks a statement before it is sent. @throws TenantctlError MIGRATION_OUTSIDE_SCHEMA */
export type StatementCheck = (text: string) => Promise<void>;

/** A text without any of these cannot name a schema. */
const MAY_NAME_SCHEMA = /\.|\bschema\b|\bsearch_path\b/i;

/** Schemas that every migration may name. */
const EVERYBODYS = new Set(['public', 'pg_catalog', 'pg_temp', 'information_schema']);

/**
 * Refuses a statement that names another tenant's schema: its effects within a savepoint would be invisible
 * after ROLLBACK TO. Outside a transaction no later check is possible, so it also refuses to change an object
 * outside the schema, named or found in public. With a role for each tenant, PostgreSQL itself refuses both.
 */
export function checkStatements(
  client: PoolClient,
  readStatements: ReadStatements,
  migration: Migration,
  target: Target,
  { inTransaction }: { readonly inTransaction: boolean },
): StatementCheck | undefined {
  if (target.scope === 'master' || target.role !== undefined) return undefined;
  const { schema } = target;
  return async (text) => {
    if (inTransaction && !MAY_NAME_SCHEMA.test(text)) return;
    const reading = await readStatements(text);
    const named = reading.schemas.filter((name) => name !== schema && !EVERYBODYS.has(name));
    if (named.length > 0) {
      const others = await otherTenants(client, target, named);
      if (others.length > 0) throw namesAnother(migration.file.name, target, others, text);
    }
    if (inTransaction) return;
    const [globally] = reading.global;
    if (globally !== undefined) throw wouldReach(migration.file.name, target, globally, undefined, text);
    const places = await placesOf(client, target, reading.objects);
    const outside = places.find(
      (place) =>
        place.schema !== schema && !place.schema.startsWith('pg_temp') && !isAllowed(place, migration),
    );
    if (outside === undefined) return;
    const name = outside.identity;
    throw wouldReach(migration.file.name, target, `changes ${name}`, name, text);
  };
}

/** Which of these schemas are other tenants'. A failed transaction cannot be queried. */
async function otherTenants(
  client: PoolClient,
  { schema, names }: Target,
  named: readonly string[],
): Promise<readonly string[]> {
  if (client.getTransactionStatus() === 'E') return [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT s.name FROM unnest(ARRAY[${named.map(literal).join(', ')}]::text[]) AS s (name) WHERE ${isOtherTenants(names, 's.name', literal(schema))}`,
  );
  return rows.map(({ name }) => name);
}

interface Place {
  readonly schema: string;
  /** Schema-qualified, unquoted. */
  readonly identity: string;
  readonly isOtherTenants: boolean;
}

/** Resolves the objects that a statement would change as the session does; existing ones only. */
async function placesOf(
  client: PoolClient,
  { schema, names }: Target,
  objects: readonly NamedObject[],
): Promise<Place[]> {
  if (objects.length === 0) return [];
  const { rows } = await client.query<Place>(
    `SELECT p.schema, p.schema || '.' || p.name AS identity, ${isOtherTenants(names, 'p.schema', literal(schema))} AS "isOtherTenants"
     FROM (${objects.map(selectPlaces).join(' UNION ALL ')}) p WHERE p.schema IS NOT NULL`,
  );
  return rows;
}

/** The query for the schemas in which an object is, or will be. */
function selectPlaces({ kind, schema, name, isNew }: NamedObject): string {
  const select = (place: string) => `SELECT ${place} AS schema, ${literal(name)} AS name`;
  if (isNew) return select(schema === undefined ? 'current_schema()::text' : literal(schema));
  const written = literal(schema === undefined ? identifier(name) : qualified(schema, name));
  switch (kind) {
    case 'relation':
      return `${select('c.relnamespace::regnamespace::text')} FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(${written})`;
    case 'type':
      return `${select('t.typnamespace::regnamespace::text')} FROM pg_catalog.pg_type t WHERE t.oid = to_regtype(${written})`;
    case 'routine': {
      // Overloads are not distinguished: all must be the tenant's.
      const schemas = schema === undefined ? 'current_schemas(false)' : `ARRAY[${literal(schema)}]::name[]`;
      return `${select('n.nspname::text')} FROM pg_catalog.pg_proc r JOIN pg_catalog.pg_namespace n ON n.oid = r.pronamespace
        WHERE r.proname = ${literal(name)} AND n.nspname = ANY (${schemas})`;
    }
  }
}

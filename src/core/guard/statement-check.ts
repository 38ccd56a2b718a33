import type { PoolClient } from 'pg';
import { identifier, literal, qualified } from '../../db/sql.ts';
import { runsInTransaction, type Direction, type Migration } from '../files/load.ts';
import type { Target } from '../target/target.ts';
import { isOtherTenants } from './own-objects.ts';
import { otherTenants } from './other-tenants.ts';
import { unparsed } from '../files/parse-sql.ts';
import { namesAnother, wouldReach } from './errors.ts';
import { isAllowed, type Outside } from './allowed.ts';
import type { NamedObject } from '../statements/named-objects.ts';
import type { Reading, ReadStatements } from '../statements/read-statements.ts';

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
  direction: Direction,
): StatementCheck | undefined {
  if (target.scope === 'master' || target.role !== undefined) return undefined;
  const { schema } = target;
  const inTransaction = runsInTransaction(migration, direction);
  const action = migration[direction];
  const outsideIn = async ({ objects }: Reading) =>
    (await placesOf(client, target, objects)).filter(
      (place) =>
        place.schema !== schema && !place.schema.startsWith('pg_temp') && !isAllowed(place, migration),
    );
  return async (text) => {
    if (inTransaction && !MAY_NAME_SCHEMA.test(text)) return;
    const reading = await readStatements(text);
    const named = reading.schemas.filter((name) => name !== schema && !EVERYBODYS.has(name));
    if (named.length > 0) {
      const others = await otherTenants(client, schema, named);
      if (others.length > 0) throw namesAnother(migration.file.name, target, others, text);
    }
    if (inTransaction) return;
    if (reading.problem !== undefined && !migration.allowUnparsed)
      throw unparsed(migration, direction, reading.problem, { tenant: target.clerkOrgId, statement: text });
    const deed = deedsOf(reading, migration)[0]?.words ?? (await outsideIn(reading)).map(inWords)[0];
    if (deed === undefined) return;
    // The hint names what the rest of an .sql file needs as well.
    const whole = typeof action === 'string' ? await readStatements(action) : reading;
    const all = [...deedsOf(whole, migration).flatMap(({ needs }) => needs), ...(await outsideIn(whole))];
    throw wouldReach({ migration, direction, target }, deed, all, text);
  };
}

function inWords({ identity }: Outside): string {
  return `changes ${identity}`;
}

function quotedIfNeeded(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : identifier(name);
}

/** What a text does outside every schema, and is not allowed to. */
function deedsOf({ global }: Reading, migration: Migration): { words: string; needs: Outside[] }[] {
  return global.flatMap(({ words, names }) => {
    const objects = names.length === 0 ? [undefined] : names.map(quotedIfNeeded);
    const needs = objects
      .map((identity): Outside => ({ identity, isOtherTenants: false }))
      .filter((object) => !isAllowed(object, migration));
    return needs.length === 0 ? [] : [{ words, needs }];
  });
}

interface Place extends Outside {
  readonly schema: string;
}

/**
 * Resolves the objects that a statement would change as the session does; existing ones only.
 * @returns none if all are in the tenant's schema
 */
async function placesOf(
  client: PoolClient,
  { schema }: Target,
  objects: readonly NamedObject[],
): Promise<Place[]> {
  const asked = objects.filter((object) => object.schema !== schema);
  if (asked.length === 0 || (await areOwn(client, schema, asked))) return [];
  const { rows } = await client.query<Place>(
    `SELECT p.schema, quote_ident(p.schema) || '.' || CASE WHEN p.name = '*' THEN p.name ELSE quote_ident(p.name) END AS identity, ${isOtherTenants('p.schema', literal(schema))} AS "isOtherTenants"
     FROM (${asked.map(selectPlaces).join(' UNION ALL ')}) p WHERE p.schema IS NOT NULL`,
  );
  return rows;
}

/** Whether all of them are the tenant's own, or missing. The server answers this five times as fast as selectPlaces. */
async function areOwn(client: PoolClient, schema: string, objects: readonly NamedObject[]): Promise<boolean> {
  if (objects.some((object) => object.schema !== undefined || object.name === '*')) return false;
  if (objects.some(({ kind, isNew }) => kind === 'routine' && !isNew)) return false;
  const conditions = objects.map(({ kind, name, isNew }) => {
    if (isNew) return `pg_catalog.current_schema() = ${literal(schema)}`;
    const find = kind === 'relation' ? 'pg_catalog.to_regclass' : 'pg_catalog.to_regtype';
    return `${find}(${literal(identifier(name))}) IS NOT DISTINCT FROM ${find}(${literal(qualified(schema, name))})`;
  });
  const { rows } = await client.query<{ own: boolean }>(`SELECT ${conditions.join(' AND ')} AS own`);
  return rows[0]?.own === true;
}

/** The query for the schemas in which an object is, or will be. */
function selectPlaces({ kind, schema, name, isNew }: NamedObject): string {
  const select = (place: string) => `SELECT ${place} AS schema, ${literal(name)} AS name`;
  if (isNew) return select(schema === undefined ? 'current_schema()::text' : literal(schema));
  const written = literal(schema === undefined ? identifier(name) : qualified(schema, name));
  switch (kind) {
    case 'relation':
      return `${select('n.nspname::text')} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(${written})`;
    case 'type':
      return `${select('n.nspname::text')} FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = to_regtype(${written})`;
    case 'routine': {
      // Overloads are not distinguished: all must be the tenant's.
      const schemas = schema === undefined ? 'current_schemas(false)' : `ARRAY[${literal(schema)}]::name[]`;
      return `${select('n.nspname::text')} FROM pg_catalog.pg_proc r JOIN pg_catalog.pg_namespace n ON n.oid = r.pronamespace
        WHERE r.proname = ${literal(name)} AND n.nspname = ANY (${schemas})`;
    }
  }
}

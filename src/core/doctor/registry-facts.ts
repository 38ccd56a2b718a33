import type { QueryResultRow } from 'pg';
import type { History } from '../target/history.ts';
import { literal } from '../../db/sql.ts';
import { lockKey } from '../../db/transaction.ts';
import { LOCK_ENDING, type Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import {
  isRegistry,
  problemOfRegistry,
  readRegistryShape,
  type RegistryShape,
} from '../registry/registry-shape.ts';
import { tenantSchemaPattern } from '../registry/schema-name.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import { readFleetFacts, type FleetFacts } from './fleet-facts.ts';
import { changesIn, underNames } from '../state/memory.ts';
import { readStateVersion } from '../state/version.ts';
import { lockOfSql } from '../target/target.ts';
import { readMasterHistory } from '../target/master-history.ts';
import type { Database } from '../../db/database.ts';

/** What the tables of tenantctl and Knex hold. */
export interface RegistryFacts {
  readonly names: Names;
  /** Undefined without a registry. */
  readonly shape: RegistryShape | undefined;
  /** Columns that should have a unique index and have none. */
  readonly notUnique: readonly string[];
  readonly masterHistory: History;
  /** The version of the tenantctl schema; 0 without one. */
  readonly stateVersion: number;
  /** How many schemas have the name of a tenant schema. */
  readonly tenantSchemas: number;
  readonly otherHistories: readonly OtherHistory[];
  readonly intents: readonly IntentFacts[];
  /** Absent without a registry that can be read. */
  readonly fleet: FleetFacts | undefined;
}

/** Tables that Knex keeps a history in, and that tenantctl is not configured for. */
export interface OtherHistory {
  readonly table: string;
  readonly inPublic: boolean;
  /** A schema with such a table, and how many have one. */
  readonly schema: string;
  readonly schemas: number;
}

/** A migration outside a transaction that was started, and whose end is not recorded. */
export interface IntentFacts {
  readonly schema: string;
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly startedAt: Date;
  /** A run holds the schema's lock: the migration is running, not interrupted. */
  readonly atWork: boolean;
}

/** Reads the registry, the histories and tenantctl's own tables in few queries. */
export async function readRegistryFacts(database: Database): Promise<RegistryFacts> {
  const { names } = database;
  const shape = await readRegistryShape(database);
  const stateVersion = await readStateVersion(database);
  const { rows } = await database.query<{ not_unique: string[]; schemas: number }>(
    `SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE c.oid = t.id AND c.relkind = 'r' AND a.attname IN (${literal(names.columns.organization)}, ${literal(names.columns.schema)})
                    AND NOT EXISTS (SELECT FROM pg_index i
                                    WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid
                                      AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
                  ORDER BY 1) AS not_unique,
            (SELECT count(*)::int FROM pg_namespace WHERE nspname ~ $1) AS schemas
     FROM (SELECT (SELECT c.oid FROM pg_class c WHERE ${isRegistry(names, 'c')}) AS id) t`,
    [tenantSchemaPattern(names)],
  );
  const usable = shape !== undefined && problemOfRegistry(shape, names) === undefined;
  const hasMemory = stateVersion > 0 && stateVersion <= STATE_VERSION;
  return {
    names,
    shape,
    notUnique: rows[0]?.not_unique ?? [],
    masterHistory: await readMasterHistory(database),
    stateVersion,
    tenantSchemas: rows[0]?.schemas ?? 0,
    otherHistories: await readOtherHistories(database, usable),
    intents: hasMemory ? await readIntents(database, stateVersion) : [],
    fleet: usable ? await readFleetFacts(database, hasMemory ? stateVersion : 0) : undefined,
  };
}

/**
 * Finds histories by Knex's lock table beside them and by their columns (knex/lib/migrations/migrate/table-creator.js),
 * in schemas that have none under the configured name.
 * @param usable look only into the schemas that the registry names, and into public
 */
async function readOtherHistories(database: Database, usable: boolean): Promise<OtherHistory[]> {
  const { names } = database;
  const { table, schema } = registrySql(names);
  const { rows } = await database.query<OtherHistory & QueryResultRow>(
    `SELECT h.relname::text AS table, n.nspname = 'public' AS "inPublic", min(n.nspname)::text AS schema, count(*)::int AS schemas
     FROM pg_class l
     JOIN pg_namespace n ON n.oid = l.relnamespace
     JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = left(l.relname, -length('${LOCK_ENDING}')) AND h.relkind IN ('r', 'p')
     WHERE l.relname LIKE '%\\${LOCK_ENDING}' AND l.relkind IN ('r', 'p')
       AND n.nspname !~ '^pg_' AND n.nspname <> 'tenantctl'
       ${usable ? `AND (n.nspname = 'public' OR n.nspname IN (SELECT ${schema}::name FROM ${table}))` : ''}
       AND 4 = (SELECT count(*) FROM pg_attribute a
                WHERE a.attrelid = h.oid AND a.attnum > 0 AND a.attname IN ('id', 'name', 'batch', 'migration_time'))
       AND NOT EXISTS (SELECT FROM pg_class own WHERE own.relnamespace = n.oid
                       AND own.relname = CASE n.nspname WHEN 'public' THEN $1 ELSE $2 END)
     GROUP BY 1, 2 ORDER BY 2 DESC, 4 DESC, 1`,
    [names.masterHistory, names.tenantHistory],
  );
  return rows;
}

async function readIntents(database: Database, stateVersion: number): Promise<IntentFacts[]> {
  const { rows } = await database.query<{
    schema: string;
    migration: string;
    direction: 'up' | 'down';
    started_at: Date;
    at_work: boolean;
  }>(
    `WITH changes AS MATERIALIZED (${changesIn(stateVersion)})
     SELECT schema, migration, direction, started_at,
            EXISTS (SELECT FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND (l.classid::bigint << 32) | l.objid::bigint = ${lockKey(lockOfSql('schema'))}) AS at_work
     FROM ${underNames('intents', stateVersion)} WHERE NOT is_gone ORDER BY schema`,
  );
  return rows.map((row) => ({
    schema: row.schema,
    migration: row.migration,
    direction: row.direction,
    startedAt: row.started_at,
    atWork: row.at_work,
  }));
}

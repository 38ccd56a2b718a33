import type { History } from '../target/history.ts';
import { literal } from '../../db/sql.ts';
import { lockKey } from '../../db/transaction.ts';
import type { Names } from '../../names.ts';
import { isRegistry, registryColumns, requiredColumns } from '../registry/registry.ts';
import { tenantSchemaPattern } from '../registry/schema-name.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import { readFleetFacts, type FleetFacts } from './fleet-facts.ts';
import { readStateVersion } from '../state/version.ts';
import { lockOfSql } from '../target/target.ts';
import { readMasterHistory } from '../target/master-history.ts';
import type { Database } from '../../db/database.ts';

/** What the tables of tenantctl and Knex hold. */
export interface RegistryFacts {
  readonly names: Names;
  /** Undefined without a registry. */
  readonly columns: readonly string[] | undefined;
  /** It is a plain table, which can be altered, and not a view. */
  readonly isTable: boolean;
  /** Columns that should have a unique index and have none. */
  readonly notUnique: readonly string[];
  readonly masterHistory: History;
  /** The version of the tenantctl schema; 0 without one. */
  readonly stateVersion: number;
  /** How many schemas have the name of a tenant schema. */
  readonly tenantSchemas: number;
  readonly intents: readonly IntentFacts[];
  /** Absent without a registry that can be read. */
  readonly fleet: FleetFacts | undefined;
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
  const columns = await registryColumns(database);
  const stateVersion = await readStateVersion(database);
  const { rows } = await database.query<{ is_table: boolean; not_unique: string[]; schemas: number }>(
    `SELECT coalesce((SELECT relkind = 'r' FROM pg_class WHERE oid = t.id), false) AS is_table,
            ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE c.oid = t.id AND c.relkind = 'r' AND a.attname IN (${literal(names.columns.organization)}, ${literal(names.columns.schema)})
                    AND NOT EXISTS (SELECT FROM pg_index i
                                    WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid
                                      AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
                  ORDER BY 1) AS not_unique,
            (SELECT count(*)::int FROM pg_namespace WHERE nspname ~ $1) AS schemas
     FROM (SELECT (SELECT c.oid FROM pg_class c WHERE ${isRegistry(names, 'c')}) AS id) t`,
    [tenantSchemaPattern(names)],
  );
  const usable = columns !== undefined && requiredColumns(names).every((column) => columns.includes(column));
  const hasMemory = stateVersion > 0 && stateVersion <= STATE_VERSION;
  return {
    names,
    columns,
    isTable: rows[0]?.is_table ?? false,
    notUnique: rows[0]?.not_unique ?? [],
    masterHistory: await readMasterHistory(database),
    stateVersion,
    tenantSchemas: rows[0]?.schemas ?? 0,
    intents: hasMemory ? await readIntents(database) : [],
    fleet: usable ? await readFleetFacts(database, hasMemory ? stateVersion : 0) : undefined,
  };
}

async function readIntents(database: Database): Promise<IntentFacts[]> {
  const { rows } = await database.query<{
    schema_name: string;
    migration: string;
    direction: 'up' | 'down';
    started_at: Date;
    at_work: boolean;
  }>(
    `SELECT schema_name, migration, direction, started_at,
            EXISTS (SELECT FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND (l.classid::bigint << 32) | l.objid::bigint = ${lockKey(lockOfSql('schema_name'))}) AS at_work
     FROM tenantctl.intents ORDER BY schema_name`,
  );
  return rows.map((row) => ({
    schema: row.schema_name,
    migration: row.migration,
    direction: row.direction,
    startedAt: row.started_at,
    atWork: row.at_work,
  }));
}

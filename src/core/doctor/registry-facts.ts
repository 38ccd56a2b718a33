import type { QueryResultRow } from 'pg';
import type { History } from '../target/history.ts';
import { LOCK_ENDING, type Names } from '../../names.ts';
import type { MigrationFolder } from '../files/source.ts';
import { registrySql } from '../registry/registry-sql.ts';
import {
  isRegistry,
  problemOfRegistry,
  readRegistryShape,
  type RegistryShape,
} from '../registry/registry-shape.ts';
import { tenantSchemaPattern } from '../registry/schema-name.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import type { Attempt } from './attempt.ts';
import { readMemory, type Memory } from '../state/memory.ts';
import { readTenantFacts, type TenantFacts } from './tenant-facts.ts';
import type { TenantRoleFacts } from './tenant-roles.ts';
import { readStateVersion } from '../state/version.ts';
import { readMasterHistory } from '../target/history.ts';
import type { Database } from '../../db/database.ts';
import { lockKey } from '../../db/advisory-lock.ts';
import { lockOfSql } from '../target/lock.ts';

export interface RegistryFacts {
  readonly names: Names;
  readonly role: string;
  readonly shape: RegistryShape | undefined;
  /** Columns that need a unique index but have none. */
  readonly notUnique: readonly string[];
  readonly masterHistory: History;
  /** 0 if there is no tenantctl schema. */
  readonly stateVersion: number;
  /** Schemas whose names match the tenant schema pattern. */
  readonly tenantSchemas: readonly string[];
  readonly otherHistories: readonly OtherHistory[];
  readonly memory: Memory;
  /** Schemas with an intent whose run is still active: the migration is running, not interrupted. */
  readonly atWork: readonly string[];
  /** Absent if there is no readable registry. */
  readonly fleet: TenantFacts | undefined;
}

export interface RegistryView extends RegistryFacts {
  readonly master: MigrationFolder | undefined;
  readonly tenantFolder: MigrationFolder | undefined;
}

export interface TenantView extends TenantFacts, RegistryView {
  /** Absent if tenants have no roles of their own. */
  readonly owners: Attempt<TenantRoleFacts> | undefined;
}

/** History tables of Knex under a name that is not configured. */
export interface OtherHistory {
  readonly table: string;
  readonly inPublic: boolean;
  /** An example schema with such a table. */
  readonly schema: string;
  readonly schemas: number;
}

export async function readRegistryFacts(database: Database): Promise<RegistryFacts> {
  const { names } = database;
  const shape = await readRegistryShape(database);
  const stateVersion = await readStateVersion(database);
  const { rows } = await database.query<Pick<RegistryFacts, 'role' | 'notUnique' | 'tenantSchemas'>>(
    `SELECT current_user::text AS role,
            ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE ${isRegistry(names, 'c')} AND c.relkind = 'r' AND a.attname = ANY ($1)
                    AND NOT EXISTS (SELECT FROM pg_index i
                                    WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid
                                      AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
                  ORDER BY 1) AS "notUnique",
            ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname ~ $2 ORDER BY 1) AS "tenantSchemas"`,
    [[names.columns.organization, names.columns.schema], tenantSchemaPattern(names)],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a query without a condition returned no row');
  const usable = shape !== undefined && problemOfRegistry(shape, names) === undefined;
  // A newer tenantctl may store this differently.
  const known = stateVersion <= STATE_VERSION ? stateVersion : 0;
  const memory = await readMemory(database, known);
  return {
    ...row,
    names,
    shape,
    masterHistory: await readMasterHistory(database),
    stateVersion,
    otherHistories: await readOtherHistories(database, usable),
    memory,
    atWork: await readAtWork(database, [...memory.intents.keys()]),
    fleet: usable ? await readTenantFacts(database, { stateVersion: known, memory }) : undefined,
  };
}

/**
 * Finds histories by Knex's lock table and columns (knex/lib/migrations/migrate/table-creator.js), in schemas
 * that have none under the configured name.
 * @param usable search only public and the schemas in the registry
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

/** The schemas that are locked by a run. */
async function readAtWork(database: Database, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await database.query<{ schema: string }>(
    `SELECT schema FROM unnest($1::text[]) schema
     WHERE EXISTS (SELECT FROM pg_locks l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND (l.classid::bigint << 32) | l.objid::bigint = ${lockKey(lockOfSql('schema'))})`,
    [schemas],
  );
  return rows.map(({ schema }) => schema);
}

import type { History } from '../target/history.ts';
import type { Names } from '../../names.ts';
import type { MigrationFolder } from '../files/source.ts';
import { readAdoption, type Adoption } from '../registry/adoption.ts';
import {
  isRegistry,
  problemOfRegistry,
  readRegistryShape,
  type RegistryShape,
} from '../registry/registry-shape.ts';
import { readSharedSchemas } from '../registry/registry.ts';
import { tenantSchemaPattern } from '../registry/schema-name.ts';
import { readForeignParts } from '../install/routines.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import type { Attempt } from './attempt.ts';
import { readMemory, type Memory } from '../state/memory.ts';
import { readTenantFacts, type TenantFacts } from './tenant-facts.ts';
import type { TenantRoleFacts } from './tenant-roles.ts';
import { readStateVersion } from '../state/version.ts';
import { readMasterHistory } from '../target/history.ts';
import type { Database } from '../../db/database.ts';
import { isLocked } from '../../db/advisory-lock.ts';
import { lockOfSql } from '../target/lock.ts';

export interface RegistryFacts {
  readonly names: Names;
  readonly role: string;
  readonly shape: RegistryShape | undefined;
  /** Columns that need a unique index but have none. */
  readonly notUnique: readonly string[];
  readonly masterHistory: History;
  /** 0 if there is no schema tenantctl. */
  readonly stateVersion: number;
  /** What differs in the schema tenantctl from what this version makes; empty for another version. */
  readonly foreignParts: readonly string[];
  /** Schemas whose names match the tenant schema pattern. */
  readonly tenantSchemas: readonly string[];
  /** What Knex has under other names. */
  readonly adoption: Adoption;
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
    foreignParts: stateVersion === STATE_VERSION ? await readForeignParts(database) : [],
    adoption: await readAdoption(database, shape !== undefined),
    memory,
    atWork: await readAtWork(database, [...memory.intents.keys()]),
    fleet: usable
      ? await readTenantFacts(database, {
          stateVersion: known,
          memory,
          shared: await readSharedSchemas(database),
        })
      : undefined,
  };
}

async function readAtWork(database: Database, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await database.query<{ schema: string }>(
    `SELECT schema FROM unnest($1::text[]) schema WHERE ${isLocked(lockOfSql('schema'))}`,
    [schemas],
  );
  return rows.map(({ schema }) => schema);
}

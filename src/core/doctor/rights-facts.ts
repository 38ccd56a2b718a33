import { isRegistry } from '../registry/registry.ts';
import { lockTableOf } from '../target/history.ts';
import { STATE_SCHEMA } from '../install/state-schema.ts';
import type { Database } from '../../db/database.ts';

/** What the role may do. */
export interface RightsFacts {
  readonly createsSchemas: boolean;
  /** The owner of public; null where there is no such schema. */
  readonly publicOwner: string | null;
  readonly ownsPublic: boolean;
  readonly createsInPublic: boolean;
  /** tenantctl's own schema exists, and the role may not use it. */
  readonly lacksStateSchema: boolean;
  /** Tables, views and sequences that tenantctl needs and the role may not use. */
  readonly lacking: readonly Relation[];
}

export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly isSequence: boolean;
}

/**
 * Reads what the role may do. Ownership is asked with pg_has_role 'USAGE': a member of the owner may do what the owner
 * may (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-ACCESS).
 */
export async function readRights(database: Database): Promise<RightsFacts> {
  const { names } = database;
  const { rows } = await database.query<{
    creates_schemas: boolean;
    owner: string | null;
    owns_public: boolean | null;
    creates_in_public: boolean | null;
    lacks_state: boolean | null;
  }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
            pg_get_userbyid(p.nspowner)::text AS owner,
            pg_has_role(current_user, p.nspowner, 'USAGE') AS owns_public,
            has_schema_privilege(p.oid, 'USAGE') AND has_schema_privilege(p.oid, 'CREATE') AS creates_in_public,
            NOT has_schema_privilege(s.oid, 'USAGE') AS lacks_state
     FROM (SELECT) one
     LEFT JOIN pg_namespace p ON p.nspname = 'public'
     LEFT JOIN pg_namespace s ON s.nspname = $1`,
    [STATE_SCHEMA],
  );
  const isOurs = (alias: string) => `(${isRegistry(names, alias)}
    OR ${alias}.relnamespace = to_regnamespace('public') AND ${alias}.relname = ANY ($2::text[]))`;
  const lacking = await database.query<{ schema: string; name: string; sequence: boolean }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'S' AS sequence
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname = $1 AND c.relkind IN ('r', 'p', 'v')
            OR ${isOurs('c')} AND c.relkind IN ('r', 'p', 'v', 'f')
            OR c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
                                           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                             AND d.deptype = 'a' AND ${isOurs('t')}))
       AND NOT CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE')
                    WHEN n.nspname = $1 AND c.relkind = 'v' THEN has_table_privilege(c.oid, 'SELECT')
                    ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                     AND has_table_privilege(c.oid, 'UPDATE')
                     AND (${isRegistry(names, 'c')} OR has_table_privilege(c.oid, 'DELETE')) END
     ORDER BY 1, 2`,
    [STATE_SCHEMA, [names.masterHistory, lockTableOf(names.masterHistory)]],
  );
  const [row] = rows;
  return {
    createsSchemas: row?.creates_schemas ?? false,
    publicOwner: row?.owner ?? null,
    ownsPublic: row?.owns_public ?? false,
    createsInPublic: row?.creates_in_public ?? false,
    lacksStateSchema: row?.lacks_state ?? false,
    lacking: lacking.rows.map(({ schema, name, sequence }) => ({ schema, name, isSequence: sequence })),
  };
}

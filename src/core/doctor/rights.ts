import { isRegistry } from '../registry/registry-shape.ts';
import { lockTableOf } from '../target/history.ts';
import { STATE_SCHEMA } from '../install/state-schema.ts';
import type { Database } from '../../db/database.ts';
import { identifier, qualified } from '../../db/sql.ts';
import { failed, ok, warning, type Check, type CheckId } from './check.ts';
import { listed } from '../../wording.ts';

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

export const RIGHTS: readonly CheckId[] = [
  'create-schemas',
  'own-public',
  'create-in-public',
  'table-rights',
];

/** The role that runs tenantctl, and the database. */
export interface Identity {
  readonly role: string;
  readonly database: string;
}

/** The checks of the role's rights. Pure. */
export function rightsChecks(facts: RightsFacts, { role, database }: Identity): Check[] {
  const grantee = identifier(role);
  return [
    facts.createsSchemas
      ? ok('create-schemas', `${role} may create schemas in ${database}`)
      : failed(
          'create-schemas',
          `${role} may not create schemas in ${database}, so it can provision nobody`,
          `GRANT CREATE ON DATABASE ${identifier(database)} TO ${grantee}; -- as its owner or a superuser`,
          'DATABASE_ERROR',
        ),
    ...publicChecks(facts, role, grantee),
    tableCheck(facts, role, grantee),
  ];
}

function publicChecks(facts: RightsFacts, role: string, grantee: string): Check[] {
  const { publicOwner: owner } = facts;
  if (owner === null) {
    const remedy = `CREATE SCHEMA public AUTHORIZATION ${grantee}; -- as the owner of the database or a superuser`;
    return [
      failed('own-public', 'the schema public does not exist', remedy),
      failed('create-in-public', 'the schema public does not exist', remedy),
    ];
  }
  const take = `ALTER SCHEMA public OWNER TO ${grantee}; -- as a superuser`;
  const notOwned = `public belongs to ${owner}, and ${role} does not have its rights`;
  return [
    facts.ownsPublic
      ? ok(
          'own-public',
          owner === role ? `${role} owns it` : `it belongs to ${owner}, whose rights ${role} has`,
        )
      : facts.createsInPublic
        ? warning('own-public', `${notOwned}; it may create tables there, which suffices for most`, take)
        : failed('own-public', notOwned, take, 'DATABASE_ERROR'),
    facts.createsInPublic
      ? ok('create-in-public', `${role} may create tables there`)
      : failed(
          'create-in-public',
          `${role} may not create tables in public, so it cannot migrate master`,
          `GRANT USAGE, CREATE ON SCHEMA public TO ${grantee}; -- as its owner or a superuser`,
          'DATABASE_ERROR',
        ),
  ];
}

function tableCheck(facts: RightsFacts, role: string, grantee: string): Check {
  const names = facts.lacking.map(({ schema, name }) => `${schema}.${name}`);
  if (facts.lacksStateSchema) names.unshift(`the schema ${STATE_SCHEMA}`);
  if (names.length === 0) return ok('table-rights', `${role} may use the registry and the histories`);
  const grants = facts.lacking.map((relation) => grant(relation, grantee));
  if (facts.lacksStateSchema) grants.unshift(`GRANT USAGE ON SCHEMA ${STATE_SCHEMA} TO ${grantee};`);
  return failed(
    'table-rights',
    `${role} may not use ${listed(names)}`,
    `${grants.join('\n')} -- as their owner or a superuser`,
    'DATABASE_ERROR',
  );
}

function grant({ schema, name, isSequence }: Relation, grantee: string): string {
  return isSequence
    ? `GRANT USAGE, SELECT ON SEQUENCE ${qualified(schema, name)} TO ${grantee};`
    : `GRANT SELECT, INSERT, UPDATE, DELETE ON ${qualified(schema, name)} TO ${grantee};`;
}

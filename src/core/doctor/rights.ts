import { isRegistry } from '../registry/registry-shape.ts';
import { lockTableOf } from '../target/history.ts';
import { STATE_SCHEMA } from '../install/state-schema.ts';
import type { Database } from '../../db/database.ts';
import { identifier, qualified } from '../../db/sql.ts';
import { failed, ok, warning, type CheckTable, type Verdict } from './check.ts';
import { listed } from '../../wording.ts';

export interface RightsFacts {
  readonly role: string;
  readonly database: string;
  readonly createsSchemas: boolean;
  readonly publicOwner: string | null;
  readonly ownsPublic: boolean;
  readonly createsInPublic: boolean;
  /** The schema tenantctl exists, but the role may not use it. */
  readonly lacksStateSchema: boolean;
  /** Tables, views and sequences that tenantctl needs but may not access. */
  readonly lacking: readonly {
    readonly schema: string;
    readonly name: string;
    readonly isSequence: boolean;
  }[];
}

/**
 * Ownership is checked by pg_has_role 'USAGE', which includes members of the owner
 * (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-ACCESS).
 */
export async function readRights(database: Database): Promise<RightsFacts> {
  const { rows } = await database.query<Omit<RightsFacts, 'lacking'>>(
    `SELECT current_user::text AS role, current_database()::text AS database,
            has_database_privilege(current_database(), 'CREATE') AS "createsSchemas",
            pg_get_userbyid(p.nspowner)::text AS "publicOwner",
            coalesce(pg_has_role(current_user, p.nspowner, 'USAGE'), false) AS "ownsPublic",
            coalesce(has_schema_privilege(p.oid, 'USAGE') AND has_schema_privilege(p.oid, 'CREATE'), false) AS "createsInPublic",
            coalesce(NOT has_schema_privilege(s.oid, 'USAGE'), false) AS "lacksStateSchema"
     FROM (SELECT) one
     LEFT JOIN pg_namespace p ON p.nspname = 'public'
     LEFT JOIN pg_namespace s ON s.nspname = $1`,
    [STATE_SCHEMA],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a query without a condition returned no row');
  return { ...row, lacking: await readLacking(database) };
}

async function readLacking(database: Database): Promise<RightsFacts['lacking']> {
  const { names } = database;
  const isOurs = (alias: string) => `(${isRegistry(names, alias)}
    OR ${alias}.relnamespace = to_regnamespace('public') AND ${alias}.relname = ANY ($2::text[]))`;
  const { rows } = await database.query<{ schema: string; name: string; isSequence: boolean }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'S' AS "isSequence"
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
  return rows;
}

export const RIGHTS: CheckTable<RightsFacts> = {
  'create-schemas': ['Create schemas', createSchemas],
  'own-public': ['Own public', ownPublic],
  'create-in-public': ['Create in public', createInPublic],
  'table-rights': ['Rights on tables', tableRights],
};

function createSchemas({ role, database, createsSchemas }: RightsFacts): Verdict {
  if (createsSchemas) return ok(`${role} may create schemas in ${database}`);
  return failed(
    `${role} may not create schemas in ${database}, so it cannot provision tenants`,
    `GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(role)}; -- as its owner or a superuser`,
    'DATABASE_ERROR',
  );
}

function ownPublic({ role, publicOwner: owner, ownsPublic, createsInPublic }: RightsFacts): Verdict {
  if (owner === null) return withoutPublic(role);
  if (ownsPublic)
    return ok(owner === role ? `${role} owns it` : `it belongs to ${owner}, whose rights ${role} has`);
  const detail = `public belongs to ${owner}, and ${role} does not have its rights`;
  const remedy = `ALTER SCHEMA public OWNER TO ${identifier(role)}; -- as a superuser`;
  return createsInPublic
    ? warning(`${detail}; it may create tables there, which usually suffices`, remedy)
    : failed(detail, remedy, 'DATABASE_ERROR');
}

function createInPublic({ role, publicOwner, createsInPublic }: RightsFacts): Verdict {
  if (publicOwner === null) return withoutPublic(role);
  if (createsInPublic) return ok(`${role} may create tables there`);
  return failed(
    `${role} may not create tables in public, so it cannot migrate master`,
    `GRANT USAGE, CREATE ON SCHEMA public TO ${identifier(role)}; -- as its owner or a superuser`,
    'DATABASE_ERROR',
  );
}

function withoutPublic(role: string): Verdict {
  const remedy = `CREATE SCHEMA public AUTHORIZATION ${identifier(role)}; -- as the owner of the database or a superuser`;
  return failed('the schema public does not exist', remedy);
}

function tableRights({ role, lacking, lacksStateSchema }: RightsFacts): Verdict {
  const names = lacking.map(({ schema, name }) => `${schema}.${name}`);
  const grants = lacking.map(({ schema, name, isSequence }) => {
    const rights = isSequence ? 'USAGE, SELECT ON SEQUENCE' : 'SELECT, INSERT, UPDATE, DELETE ON';
    return `GRANT ${rights} ${qualified(schema, name)} TO ${identifier(role)};`;
  });
  if (lacksStateSchema) {
    names.unshift(`the schema ${STATE_SCHEMA}`);
    grants.unshift(`GRANT USAGE ON SCHEMA ${STATE_SCHEMA} TO ${identifier(role)};`);
  }
  if (names.length === 0) return ok(`${role} may use the registry and the histories`);
  return failed(
    `${role} may not use ${listed(names)}`,
    `${grants.join('\n')} -- as their owner or a superuser`,
    'DATABASE_ERROR',
  );
}

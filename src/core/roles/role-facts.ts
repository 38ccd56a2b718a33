import type { Database } from '../../db/database.ts';

/** A role, and what the login role may do with it. */
export interface RoleFacts {
  readonly name: string;
  readonly isSelf: boolean;
  readonly isSuperuser: boolean;
  readonly createsRoles: boolean;
  /** A plain GRANT of another role gives it that role's rights. */
  readonly inheritsByDefault: boolean;
  /** The login role may SET ROLE to it. */
  readonly mayBecome: boolean;
  /** The login role has its rights without SET ROLE. */
  readonly inherits: boolean;
  /** The login role may make itself a member. */
  readonly mayJoin: boolean;
}

/** The login role, and those of the requested roles that exist, by name. */
export interface Roles {
  readonly self: RoleFacts;
  readonly byName: ReadonlyMap<string, RoleFacts>;
  readonly hasMembershipOptions: boolean;
}

/**
 * Since PostgreSQL 16, membership, SET and ADMIN are separate options; before, CREATEROLE implied ADMIN on
 * every role but superusers (https://www.postgresql.org/docs/current/role-membership.html,
 * https://www.postgresql.org/docs/15/sql-createrole.html).
 */
export async function readRoles(
  database: Pick<Database, 'query' | 'hasMembershipOptions'>,
  names: readonly string[],
): Promise<Roles> {
  const { hasMembershipOptions } = database;
  const [become, orJoin] = hasMembershipOptions
    ? ['SET', '']
    : ['MEMBER', 'OR me.rolcreaterole AND NOT r.rolsuper'];
  const { rows } = await database.query<RoleFacts>(
    `SELECT r.rolname::text AS name, r.oid = me.oid AS "isSelf", r.rolsuper AS "isSuperuser",
            r.rolcreaterole AS "createsRoles", r.rolinherit AS "inheritsByDefault",
            pg_has_role(me.oid, r.oid, '${become}') AS "mayBecome",
            pg_has_role(me.oid, r.oid, 'USAGE') AS inherits,
            pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION') ${orJoin} AS "mayJoin"
     FROM pg_roles r, pg_roles me
     WHERE me.rolname = current_user AND (r.oid = me.oid OR r.rolname = ANY ($1::text[]))`,
    [names],
  );
  const self = rows.find(({ isSelf }) => isSelf);
  if (self === undefined) throw new Error('the server did not say who is logged in');
  return { self, byName: new Map(rows.map((role) => [role.name, role])), hasMembershipOptions };
}

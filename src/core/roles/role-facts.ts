import type { Database } from '../../db/database.ts';

/** What the role that is logged in may do with a role. */
export interface RoleFacts {
  /** It is the same role. */
  readonly isSelf: boolean;
  readonly isSuperuser: boolean;
  /** It may SET ROLE to this one. */
  readonly mayBecome: boolean;
  /** It has the rights of this one without SET ROLE. */
  readonly inherits: boolean;
  /** It may make itself a member of this one. */
  readonly mayJoin: boolean;
}

/** The role that is logged in, and those of the other roles that exist, by name. */
export interface Roles {
  readonly self: {
    readonly name: string;
    readonly isSuperuser: boolean;
    readonly createsRoles: boolean;
    /** A plain GRANT of a role gives it that role's rights. */
    readonly inherits: boolean;
  };
  readonly byName: ReadonlyMap<string, RoleFacts>;
  /** See Capabilities. */
  readonly hasMembershipOptions: boolean;
}

/**
 * Reads many roles in one query. From PostgreSQL 16, membership, the right to switch to a role and the right to grant
 * it are three things; before, CREATEROLE gave the last for every role but superusers
 * (https://www.postgresql.org/docs/current/role-membership.html,
 * https://www.postgresql.org/docs/15/sql-createrole.html).
 */
export async function readRoles(
  database: Pick<Database, 'query' | 'hasMembershipOptions'>,
  names: readonly string[],
): Promise<Roles> {
  const isSplit = database.hasMembershipOptions;
  const { rows } = await database.query<{
    name: string;
    is_self: boolean;
    superuser: boolean;
    creates_roles: boolean;
    inherits_by_default: boolean;
    may_become: boolean;
    inherits: boolean;
    may_join: boolean;
  }>(
    `SELECT r.rolname::text AS name, r.oid = me.oid AS is_self, r.rolsuper AS superuser,
            r.rolcreaterole AS creates_roles, r.rolinherit AS inherits_by_default,
            pg_has_role(me.oid, r.oid, '${isSplit ? 'SET' : 'MEMBER'}') AS may_become,
            pg_has_role(me.oid, r.oid, 'USAGE') AS inherits,
            pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION') ${isSplit ? '' : 'OR me.rolcreaterole AND NOT r.rolsuper'} AS may_join
     FROM pg_roles r, pg_roles me
     WHERE me.rolname = current_user AND (r.oid = me.oid OR r.rolname = ANY ($1::text[]))`,
    [names],
  );
  const self = rows.find((row) => row.is_self);
  if (self === undefined) throw new Error('the server did not say who is logged in');
  return {
    self: {
      name: self.name,
      isSuperuser: self.superuser,
      createsRoles: self.creates_roles,
      inherits: self.inherits_by_default,
    },
    byName: new Map(
      rows.map((row) => [
        row.name,
        {
          isSelf: row.is_self,
          isSuperuser: row.superuser,
          mayBecome: row.may_become,
          inherits: row.inherits,
          mayJoin: row.may_join,
        },
      ]),
    ),
    hasMembershipOptions: isSplit,
  };
}

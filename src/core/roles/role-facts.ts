import type { Database } from '../../db/database.ts';

/** What the server says of a role beside the one that is logged in. */
export interface RoleFacts {
  /** It is the one that is logged in. */
  readonly isSelf: boolean;
  readonly isSuperuser: boolean;
  /** Who is logged in may SET ROLE to it. */
  readonly mayBecome: boolean;
  /** Who is logged in has its rights without doing so. */
  readonly inherits: boolean;
  /** Who is logged in may make itself a member of it. */
  readonly mayJoin: boolean;
}

/** The role that is logged in, and others by their names; those that do not exist are missing. */
export interface Roles {
  readonly self: {
    readonly name: string;
    readonly isSuperuser: boolean;
    readonly createsRoles: boolean;
    /** A membership without further words gives it the role's rights. */
    readonly inherits: boolean;
  };
  readonly byName: ReadonlyMap<string, RoleFacts>;
  readonly serverVersion: number;
}

/**
 * Asks about many roles in one query. From PostgreSQL 16 on membership, and the right to switch to a role, and to give
 * membership, are three things; before, CREATEROLE gave the last of all roles but superusers
 * (https://www.postgresql.org/docs/current/role-membership.html, https://www.postgresql.org/docs/15/sql-createrole.html).
 */
export async function readRoles(
  database: Pick<Database, 'query' | 'serverVersion'>,
  names: readonly string[],
): Promise<Roles> {
  const isSplit = database.serverVersion >= 160_000;
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
    serverVersion: database.serverVersion,
  };
}

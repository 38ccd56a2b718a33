import { SCHEMA_PLACEHOLDER } from '../../db/role-name.ts';
import { literal, readable } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf } from '../target/history.ts';
import { membershipOptions } from '../roles/role-readiness.ts';
import { inEachTenant } from './remedy.ts';

/** Sequences of columns follow their table. */
const IS_MOVABLE = `(c.relkind IN ('r', 'p', 'v', 'm', 'f') OR c.relkind = 'S' AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))`;

/** SQL that makes the role the owner of all tenant schemas and their relations, in one statement. */
export function takeOver(names: Names, role: string): string {
  const { table, schema } = registrySql(names, readable);
  return inEachTenant(`SELECT format('ALTER SCHEMA %I OWNER TO %I', n.nspname, ${literal(role)})
    FROM ${table} t JOIN pg_namespace n ON n.nspname = t.${schema}::name
    UNION ALL
    SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, ${literal(role)})
    FROM ${table} t JOIN pg_namespace n ON n.nspname = t.${schema}::name
    JOIN pg_class c ON c.relnamespace = n.oid
    WHERE ${IS_MOVABLE}`);
}

/**
 * SQL that gives tenant schemas that have no role of their own to the pattern's role, and makes the login
 * role a member of the owners. Repeatable. Knex's tables and the stamp function go to tenantctl's role.
 */
export function giveToRoles(
  names: Names,
  pattern: string,
  self: string,
  hasMembershipOptions: boolean,
): string {
  const { table, schema } = registrySql(names, readable);
  const [me, own] = [
    literal(self),
    [names.tenantHistory, lockTableOf(names.tenantHistory)].map(literal).join(', '),
  ];
  const belongsToExtension = (catalog: string, object: string) =>
    `EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${object} AND d.deptype = 'e')`;
  return inEachTenant(`WITH wanted AS (
      SELECT n.oid, n.nspname, n.nspowner, CASE WHEN r.oid IS NULL OR r.rolsuper OR r.rolname = ${me}
        THEN replace(${literal(pattern)}, ${literal(SCHEMA_PLACEHOLDER)}, n.nspname)::name ELSE r.rolname END AS role
      FROM pg_namespace n LEFT JOIN pg_roles r ON r.oid = n.nspowner
      WHERE n.nspname IN (SELECT ${schema}::name FROM ${table})
    ), given AS (SELECT w.*, r.oid AS roleid FROM wanted w LEFT JOIN pg_roles r ON r.rolname = w.role)
    SELECT statement FROM (
      SELECT DISTINCT 1 AS step, format('CREATE ROLE %I NOLOGIN', role) AS statement FROM given WHERE roleid IS NULL
      UNION ALL
      SELECT DISTINCT 2, format('GRANT %I TO %I${membershipOptions(hasMembershipOptions)}', role, ${me}) FROM given
      WHERE (pg_has_role(${me}, roleid, 'USAGE') AND pg_has_role(${me}, roleid, '${hasMembershipOptions ? 'SET' : 'MEMBER'}')) IS NOT TRUE
      UNION ALL
      SELECT 3, format('ALTER SCHEMA %I OWNER TO %I', nspname, role) FROM given WHERE nspowner IS DISTINCT FROM roleid
      UNION ALL
      SELECT 4, format('ALTER TABLE %I.%I OWNER TO %I', nspname, c.relname, CASE WHEN c.relname IN (${own}) THEN ${me} ELSE role END)
      FROM given JOIN pg_class c ON c.relnamespace = given.oid
      WHERE pg_get_userbyid(c.relowner) <> CASE WHEN c.relname IN (${own}) THEN ${me} ELSE role END
        AND ${IS_MOVABLE} AND NOT ${belongsToExtension('pg_class', 'c.oid')}
      UNION ALL
      SELECT 5, format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, role)
      FROM given JOIN pg_proc p ON p.pronamespace = given.oid
      WHERE p.proowner IS DISTINCT FROM roleid AND p.proname NOT LIKE 'tenantctl\\_unstamp\\_%'
        AND NOT ${belongsToExtension('pg_proc', 'p.oid')}
      UNION ALL
      SELECT 6, format('ALTER TYPE %I.%I OWNER TO %I', nspname, t.typname, role)
      FROM given JOIN pg_type t ON t.typnamespace = given.oid LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typowner IS DISTINCT FROM roleid AND NOT ${belongsToExtension('pg_type', 't.oid')}
        AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
    ) statements ORDER BY step, statement`);
}

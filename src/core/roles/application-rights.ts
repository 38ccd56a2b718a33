import { identifier, literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf } from '../target/history.ts';

/** The application's role, and the schema of a tenant or several, as expressions in SQL. */
export interface RightsOf {
  readonly role: string;
  readonly tenantSchema: string;
}

/** Relations of schema s, by way of pg_depend, which has an index on the schema. */
const relations = (joined = '') => `pg_depend d JOIN pg_class c ON c.oid = d.objid ${joined}
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = s.oid
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`;

/** SQL that tests relation c for being made by an extension, which grants what its users need. */
const IS_EXTENSIONS = `EXISTS (SELECT FROM pg_depend e
      WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`;

/** Schema and role, if they exist. */
function subject({ role, tenantSchema }: RightsOf): string {
  return `(SELECT n.oid, n.nspname AS name, n.nspowner AS owner, n.nspacl AS acl, r.oid AS role, r.rolname AS grantee
    FROM pg_namespace n, pg_roles r WHERE n.nspname = ${tenantSchema} AND r.rolname = ${role}) s`;
}

/** SQL that tests relation c for being the history, Knex's lock, or a sequence of theirs. */
function isKnexs({ tenantHistory }: Names): string {
  const tables = [tenantHistory, lockTableOf(tenantHistory)].map(literal).join(', ');
  return `(c.relname IN (${tables}) OR c.relkind = 'S' AND EXISTS (
      SELECT FROM pg_depend o JOIN pg_class h ON h.oid = o.refobjid
      WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass
        AND o.deptype IN ('a', 'i') AND h.relname IN (${tables})))`;
}

const ON_RELATION = `CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END`;

/**
 * SELECT of `place`, `statement` and `owner` (who may run it): what gives an application's role the rights that it lacks in a tenant's schema.
 * It reads the history, reads and writes the other tables, and uses sequences, later ones included. Default privileges
 * belong to the role that creates the tables: the owner of the schema, or tenantctl's own
 * (https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html). On Knex's lock it gets nothing, and what
 * it has there or may write to the history is revoked. Relations of extensions are left as they are.
 */
export function missingRights(names: Names, of: RightsOf): string {
  const history = literal(names.tenantHistory);
  const mayWrite = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
    .map((right) => `has_table_privilege(s.role, c.oid, '${right}')`)
    .join(' AND ');
  return `SELECT m.place, m.statement, pg_get_userbyid(m.owner) AS owner FROM ${subject(of)} CROSS JOIN LATERAL (
    SELECT 1 AS place, format('GRANT USAGE ON SCHEMA %I TO %I', s.name, s.grantee) AS statement, s.owner
    WHERE NOT has_schema_privilege(s.role, s.oid, 'USAGE')
    UNION ALL
    SELECT 2, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s TO %I', c.rolname, s.name, o.given, s.grantee), c.oid
    FROM pg_roles c CROSS JOIN (VALUES
      ('r'::"char", 'SELECT, INSERT, UPDATE, DELETE ON TABLES', ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']),
      ('S'::"char", 'USAGE ON SEQUENCES', ARRAY['USAGE'])) o (kind, given, rights)
    WHERE (c.oid = s.owner OR c.rolname = current_user) AND pg_has_role(c.oid, 'USAGE')
      AND cardinality(o.rights) > (
        SELECT count(DISTINCT a.privilege_type) FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
        WHERE d.defaclrole = c.oid AND d.defaclnamespace = s.oid AND d.defaclobjtype = o.kind
          AND a.grantee = s.role AND a.privilege_type = ANY (o.rights))
    UNION ALL
    SELECT 3, format('REVOKE %s ON %s%I.%I FROM %I', string_agg(a.privilege_type, ', ' ORDER BY 1), ${ON_RELATION}, s.name, c.relname, s.grantee), c.relowner
    FROM ${relations('CROSS JOIN LATERAL aclexplode(c.relacl) a')}
      AND ${isKnexs(names)} AND a.grantee = s.role AND a.grantor = c.relowner
      AND NOT (c.relname = ${history} AND a.privilege_type = 'SELECT')
    GROUP BY c.relkind, c.relname, c.relowner
    UNION ALL
    SELECT 4, format('GRANT %s ON %s%I.%I TO %I',
      CASE WHEN c.relkind = 'S' THEN 'USAGE' WHEN c.relname = ${history} THEN 'SELECT' ELSE 'SELECT, INSERT, UPDATE, DELETE' END,
      ${ON_RELATION}, s.name, c.relname, s.grantee), c.relowner
    FROM ${relations()} AND (c.relname = ${history} OR NOT ${isKnexs(names)}) AND NOT ${IS_EXTENSIONS}
      AND NOT CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(s.role, c.oid, 'USAGE')
                   WHEN c.relname = ${history} THEN has_table_privilege(s.role, c.oid, 'SELECT')
                   ELSE ${mayWrite} END) m`;
}

/** SELECT of `place` and `statement`: what takes back everything that a role was given in a tenant's schema. */
export function givenRights(of: RightsOf): string {
  return `SELECT m.place, m.statement FROM ${subject(of)} CROSS JOIN LATERAL (
    SELECT 1 AS place, format('REVOKE ALL ON %s%I.%I FROM %I', ${ON_RELATION}, s.name, c.relname, s.grantee) AS statement
    FROM ${relations()} AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = s.role)
    UNION ALL
    SELECT 2, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I REVOKE ALL ON %s FROM %I', c.rolname, s.name,
      CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' ELSE 'SEQUENCES' END, s.grantee)
    FROM pg_default_acl d JOIN pg_roles c ON c.oid = d.defaclrole
    WHERE d.defaclnamespace = s.oid AND d.defaclobjtype IN ('r', 'S')
      AND EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = s.role)
    UNION ALL
    SELECT 3, format('REVOKE ALL ON SCHEMA %I FROM %I', s.name, s.grantee)
    WHERE EXISTS (SELECT FROM aclexplode(s.acl) a WHERE a.grantee = s.role)) m`;
}

/** SELECT of `statement`: what lets a role read the registry. Its search path ends in `public`. */
export function missingRegistryRights(names: Names, role: string): string {
  return `SELECT m.statement FROM pg_roles r CROSS JOIN LATERAL (
    SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, r.rolname) AS statement FROM pg_namespace n
    WHERE n.nspname IN (${sharedSchemas(names)}) AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
    UNION ALL
    SELECT format('GRANT SELECT ON %s TO %I', ${registryLiteral(names)}, r.rolname)
    WHERE NOT has_table_privilege(r.oid, ${registryLiteral(names)}::regclass, 'SELECT')) m WHERE r.rolname = ${role}`;
}

/** SELECT of `statement`: what takes back the rights of missingRegistryRights. */
export function givenRegistryRights(names: Names, role: string): string {
  return `SELECT m.statement FROM pg_roles r CROSS JOIN LATERAL (
    SELECT format('REVOKE SELECT ON %s FROM %I', ${registryLiteral(names)}, r.rolname) AS statement FROM pg_class c
    WHERE c.oid = ${registryLiteral(names)}::regclass AND EXISTS (
      SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = r.oid AND a.privilege_type = 'SELECT')
    UNION ALL
    SELECT format('REVOKE USAGE ON SCHEMA %I FROM %I', n.nspname, r.rolname) FROM pg_namespace n
    WHERE n.nspname IN (${sharedSchemas(names)}) AND EXISTS (
      SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = r.oid AND a.privilege_type = 'USAGE')) m
    WHERE r.rolname = ${role}`;
}

function sharedSchemas({ registry }: Names): string {
  return ['public', registry.schema].map(literal).join(', ');
}

function registryLiteral(names: Names): string {
  return literal(registrySql(names, identifier).table);
}

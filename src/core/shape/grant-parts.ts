import type { Part } from './part.ts';

/** A role of the tenant has another name for each tenant: the schema's owner. */
function roleName(oid: string): string {
  return `CASE WHEN ${oid} = 0 THEN 'PUBLIC' WHEN ${oid} = s.nspowner THEN 'tenant_owner' ELSE quote_ident(pg_get_userbyid(${oid})) END`;
}

/**
 * What was granted, and what of the default rights was revoked, for each object and role
 * (https://www.postgresql.org/docs/current/ddl-priv.html). Who granted it is left out.
 * @param from SQL that selects target, columns (or ''), acl, and base, the default rights
 */
function changedRights(from: string): string {
  const changes = (sign: string, some: string, others: string) =>
    `SELECT '${sign}' AS sign, e.grantee, e.privilege_type, e.is_grantable FROM aclexplode(${some}) e
     EXCEPT SELECT '${sign}', e.grantee, e.privilege_type, e.is_grantable FROM aclexplode(${others}) e`;
  return `space s CROSS JOIN LATERAL (
      SELECT o.target, o.columns, e.sign, e.grantee, e.is_grantable,
        string_agg(DISTINCT e.privilege_type || o.columns, ', ') AS rights
      FROM (${from}) o CROSS JOIN LATERAL (${changes('+', 'o.acl', 'o.base')} UNION ALL ${changes('-', 'o.base', 'o.acl')}) e
      WHERE o.acl IS NOT NULL
      GROUP BY o.target, o.columns, e.sign, e.grantee, e.is_grantable) g`;
}

const GRANTS = `SELECT CASE WHEN r.relkind = 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || r.name AS target, '' AS columns,
      r.relacl AS acl, acldefault(CASE WHEN r.relkind = 'S' THEN 's'::"char" ELSE 'r'::"char" END, r.relowner) AS base FROM rels r
    UNION ALL SELECT 'TABLE ' || a.rel, ' (' || a.name || ')', a.attacl, acldefault('c', a.relowner) FROM atts a
    UNION ALL SELECT CASE f.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || f.name, '', f.proacl, acldefault('f', f.proowner) FROM functions f
    UNION ALL SELECT 'TYPE ' || y.name, '', y.typacl, acldefault('T', y.typowner) FROM types y
    UNION ALL SELECT 'SCHEMA tenant_schema', '', n.nspacl, acldefault('n', n.nspowner) FROM space n`;

/**
 * Whose later objects they are for is left out: the owner's and the login role's, as `grant application` makes them.
 * acldefault of a column is empty, in the form that aclexplode takes.
 */
const DEFAULTS = `SELECT CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END AS target,
      '' AS columns, d.defaclacl AS acl, acldefault('c', d.defaclrole) AS base
    FROM space n JOIN pg_default_acl d ON d.defaclnamespace = n.oid`;

const OPTION = `CASE WHEN g.is_grantable AND g.sign = '+' THEN ' WITH GRANT OPTION' ELSE '' END`;
const TO = `CASE g.sign WHEN '+' THEN ' to ' ELSE ' from ' END || ${roleName('g.grantee')} || lower(${OPTION})`;
const STATEMENT = `CASE g.sign WHEN '+' THEN 'GRANT ' ELSE 'REVOKE ' END || g.rights || ' ON ' || g.target
  || CASE g.sign WHEN '+' THEN ' TO ' ELSE ' FROM ' END || ${roleName('g.grantee')} || ${OPTION}`;

export const GRANT_PARTS: readonly Part[] = [
  {
    kind: `'grant'`,
    name: `'on ' || g.target || g.columns || ${TO}`,
    sql: STATEMENT,
    from: changedRights(GRANTS),
  },
  {
    kind: `'default privileges'`,
    name: `'on ' || g.target || ${TO}`,
    sql: `'ALTER DEFAULT PRIVILEGES IN SCHEMA tenant_schema ' || ${STATEMENT}`,
    from: changedRights(DEFAULTS),
  },
];

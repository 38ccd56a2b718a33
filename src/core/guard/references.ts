import { UNQUOTED_SCHEMA } from './description.ts';
import { each, isOtherTenants } from './own-objects.ts';

/** SQL for what `p` depends on according to a catalog, with the age of the transaction that wrote it. */
const dependsOn = (catalog: string, on: string) =>
  `LATERAL (SELECT d.refclassid, d.refobjid, age(d.xmin) AS age FROM pg_catalog.${catalog} d WHERE ${on} AND d.classid = p.classid AND d.objid = p.objid OFFSET 0) d`;

/** SQL for the oid of the schema of `w`, for the usual catalogs: pg_identify_object takes ten times as long. */
const SPACE = `CASE w.refclassid
                 WHEN 'pg_catalog.pg_class'::regclass THEN (SELECT o.relnamespace FROM pg_catalog.pg_class o WHERE o.oid = w.refobjid)
                 WHEN 'pg_catalog.pg_constraint'::regclass THEN (SELECT o.connamespace FROM pg_catalog.pg_constraint o WHERE o.oid = w.refobjid)
                 WHEN 'pg_catalog.pg_proc'::regclass THEN (SELECT o.pronamespace FROM pg_catalog.pg_proc o WHERE o.oid = w.refobjid)
                 WHEN 'pg_catalog.pg_type'::regclass THEN (SELECT o.typnamespace FROM pg_catalog.pg_type o WHERE o.oid = w.refobjid)
               END`;

/**
 * SQL for rows of rows_outside: what is another tenant's, and has something depend on it since this
 * transaction. To refer to a sequence, a function, a type or a role takes no lock that stays. A relation's
 * parts (defaults, triggers, policies, constraints) are written only under a strong lock on it, and depend on
 * it (https://www.postgresql.org/docs/current/catalog-pg-depend.html). A role is another tenant's if it owns
 * that tenant's schema, and no other.
 */
export const OTHER_TENANTS_REFERRED = `WITH named AS MATERIALIZED (
             SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
             WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass
               AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema)
           ), changed AS MATERIALIZED (
             SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, l.relation AS objid FROM pg_lock_status() l
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
               AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
             UNION SELECT m.classid, m.objid FROM named m WHERE m.classid <> 'pg_catalog.pg_class'::regclass
           ), parts AS MATERIALIZED (
             SELECT c.classid, c.objid FROM changed c
             UNION SELECT d.classid, d.objid
             FROM changed c, ${each('pg_depend', 'd', 'd.refclassid = c.classid AND d.refobjid = c.objid')}
           ), referred AS MATERIALIZED (
             SELECT d.refclassid, d.refobjid, d.age FROM parts p, ${dependsOn('pg_depend', 'true')}
             WHERE (d.refclassid, d.refobjid) NOT IN (SELECT c.classid, c.objid FROM changed c)
               AND d.refclassid <> 'pg_catalog.pg_namespace'::regclass
             UNION ALL SELECT d.refclassid, d.refobjid, d.age
             FROM (SELECT m.classid, m.objid FROM named m UNION SELECT x.classid, x.objid FROM parts x) p,
               ${dependsOn('pg_shdepend', '(d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database()))')}
             WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass
           ), written AS MATERIALIZED (
             SELECT r.refclassid, r.refobjid, own_id + first_age - max(r.age) AS id FROM referred r
             WHERE r.age BETWEEN last_age AND first_age AND own_id + first_age - r.age >= since
               AND txid_status(own_id + first_age - r.age) = 'in progress' GROUP BY 1, 2
           )
           SELECT w.refclassid::regclass::text, w.refobjid, w.id, false, true FROM written w
           WHERE CASE WHEN w.refclassid = 'pg_catalog.pg_authid'::regclass THEN
             w.refobjid <> to_regrole(quote_ident(session_user))
             AND (SELECT count(*) = 1 AND bool_and(${isOtherTenants('n.nspname::text', 'tenant_schema')})
                  FROM pg_catalog.pg_namespace n WHERE n.nspowner = w.refobjid)
           ELSE
             coalesce(
               (SELECT ${isOtherTenants('n.nspname::text', 'tenant_schema')} FROM pg_catalog.pg_namespace n WHERE n.oid = ${SPACE}),
               (SELECT ${isOtherTenants(UNQUOTED_SCHEMA, 'tenant_schema')} FROM pg_identify_object(w.refclassid, w.refobjid, 0) i))
           END`;

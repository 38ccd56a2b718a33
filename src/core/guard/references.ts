import { PG_SHDEPEND } from './catalogs.ts';
import { UNQUOTED_SCHEMA } from './description.ts';
import { each, isOtherTenants } from './own-objects.ts';
import { isOurs } from './own-transaction.ts';

/** SQL for what `p` depends on according to a catalog, with the age of the transaction that wrote it. */
const dependsOn = (catalog: string, on: string) =>
  `LATERAL (SELECT d.refclassid, d.refobjid, age(d.xmin) AS age FROM pg_catalog.${catalog} d WHERE ${on} AND d.classid = p.classid AND d.objid = p.objid OFFSET 0) d`;

/** SQL for the oid of the schema of a referred object, for the usual catalogs: pg_identify_object takes ten times as long. */
const spaceOf = (of: string) => `CASE ${of}.refclassid
                 WHEN 'pg_catalog.pg_class'::regclass THEN (SELECT o.relnamespace FROM pg_catalog.pg_class o WHERE o.oid = ${of}.refobjid)
                 WHEN 'pg_catalog.pg_constraint'::regclass THEN (SELECT o.connamespace FROM pg_catalog.pg_constraint o WHERE o.oid = ${of}.refobjid)
                 WHEN 'pg_catalog.pg_proc'::regclass THEN (SELECT o.pronamespace FROM pg_catalog.pg_proc o WHERE o.oid = ${of}.refobjid)
                 WHEN 'pg_catalog.pg_type'::regclass THEN (SELECT o.typnamespace FROM pg_catalog.pg_type o WHERE o.oid = ${of}.refobjid)
               END`;

/**
 * SQL for what anything of the schema depends on since this transaction, and is not in the schema; and for older relations
 * and types that have come into it, which depend on it anew, except for the parts of a table. For rows_outside. To
 * refer to a sequence, a function, a type or a role takes no lock that stays. A relation's parts (defaults, triggers,
 * policies, constraints) are written only under a strong lock on it, and depend on it
 * (https://www.postgresql.org/docs/current/catalog-pg-depend.html).
 */
export const REFERRED = `WITH named AS MATERIALIZED (
             SELECT d.classid, d.objid, age(d.xmin) AS age FROM pg_catalog.pg_depend d
             WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = own
           ), changed AS MATERIALIZED (
             SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, r.oid AS objid FROM unnest(referring) AS r (oid)
             UNION SELECT m.classid, m.objid FROM named m WHERE m.classid <> 'pg_catalog.pg_class'::regclass
           ), parts AS MATERIALIZED (
             SELECT c.classid, c.objid FROM changed c
             UNION SELECT d.classid, d.objid
             FROM changed c, ${each('pg_depend', 'd', 'd.refclassid = c.classid AND d.refobjid = c.objid')}
           ), referred AS MATERIALIZED (
             SELECT d.refclassid, d.refobjid, d.age FROM parts p, ${dependsOn('pg_depend', 'true')}
             WHERE (d.refclassid, d.refobjid) NOT IN (SELECT c.classid, c.objid FROM changed c)
               AND d.refclassid NOT IN ('pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_language'::regclass)
             UNION ALL SELECT d.refclassid, d.refobjid, d.age
             FROM (SELECT m.classid, m.objid FROM named m UNION SELECT x.classid, x.objid FROM parts x) p,
               ${dependsOn('pg_shdepend', '(d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database()))')}
             WHERE ${PG_SHDEPEND} = ANY (written) AND d.refclassid = 'pg_catalog.pg_authid'::regclass
           )
           SELECT f.*, false AS is_moved FROM (
             SELECT r.refclassid, r.refobjid, first_id + first_age - max(r.age) AS id FROM referred r
             WHERE ${isOurs('r.age')} GROUP BY 1, 2) f
           WHERE ${spaceOf('f')} IS DISTINCT FROM own
           UNION ALL
           SELECT m.classid, m.objid, first_id + first_age - m.age, true FROM named m
           WHERE m.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass) AND m.objid::bigint <= largest AND ${isOurs('m.age')}`;

/** SQL for whether `w` of REFERRED is another tenant's. A role is, if it owns that tenant's schema, and no other. */
export const IS_OTHER_TENANTS_OBJECT = `CASE WHEN w.refclassid = 'pg_catalog.pg_authid'::regclass THEN
             w.refobjid <> to_regrole(quote_ident(session_user))
             AND (SELECT count(*) = 1 AND bool_and(${isOtherTenants('n.nspname::text', 'tenant_schema')})
                  FROM pg_catalog.pg_namespace n WHERE n.nspowner = w.refobjid)
           ELSE
             coalesce(
               (SELECT ${isOtherTenants('n.nspname::text', 'tenant_schema')} FROM pg_catalog.pg_namespace n WHERE n.oid = ${spaceOf('w')}),
               (SELECT ${isOtherTenants(UNQUOTED_SCHEMA, 'tenant_schema')} FROM pg_identify_object(w.refclassid, w.refobjid, 0) i))
           END`;

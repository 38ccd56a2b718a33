import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { BY_INDEX, routine, type Routine } from '../state/routine.ts';
import { lockTableOf } from '../target/history.ts';

/** Routines that say whether a tenant's role could run its code when tenantctl reads or writes the history. */
export function trustRoutines(names: Names): Routine[] {
  return [untrusted(names), assertTrusted(names)];
}

/** The SQLSTATE of tenantctl.assert_trusted. */
export const UNTRUSTED = 'TCT04';

/** SQL for the schema's history tables, `c` in pg_class. */
const tablesOf = ({ tenantHistory }: Names) =>
  `c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = tenant_schema)
           AND c.relname IN (${literal(tenantHistory)}, ${literal(lockTableOf(tenantHistory))})`;

/** pg_depend shows the functions that the triggers, rules, defaults, checks and indexes of a table call. */
const untrusted = (names: Names) =>
  routine(
    'untrusted(tenant_schema text, tenant_role text) RETURNS text',
    `BEGIN
       RETURN (
         SELECT format('%I.%I ', tenant_schema, c.relname) || CASE
           WHEN pg_has_role(tenant_role::name, c.relowner, 'MEMBER') THEN 'belongs to ' || quote_ident(pg_get_userbyid(c.relowner))
           WHEN c.relkind <> 'r' THEN 'is not a plain table'
           WHEN c.relhasrules OR c.relrowsecurity THEN 'has rules or policies'
           ELSE 'depends on what ' || quote_ident(tenant_role) || ' owns' END
         FROM pg_class c
         WHERE ${tablesOf(names)}
           AND (pg_has_role(tenant_role::name, c.relowner, 'MEMBER') OR c.relkind <> 'r' OR c.relhasrules OR c.relrowsecurity
             OR EXISTS (
               SELECT FROM pg_depend part
               JOIN pg_depend uses ON uses.classid = part.classid AND uses.objid = part.objid AND uses.refclassid = 'pg_proc'::regclass
               JOIN pg_proc p ON p.oid = uses.refobjid
               WHERE part.refclassid = 'pg_class'::regclass AND part.refobjid = c.oid AND part.deptype IN ('a', 'i')
                 AND pg_has_role(tenant_role::name, p.proowner, 'MEMBER'))
             OR EXISTS (
               SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND pg_has_role(tenant_role::name, t.typowner, 'MEMBER')))
         LIMIT 1);
     END`,
    'How the role of a tenant could run its code through tenantctl, by way of the history tables. NULL if it could not.',
    BY_INDEX,
  );

const assertTrusted = (names: Names) =>
  routine(
    'assert_trusted(tenant_schema text, tenant_role text) RETURNS void',
    `DECLARE
       problem text := tenantctl.untrusted(tenant_schema, tenant_role);
       own regclass;
     BEGIN
       IF problem IS NULL THEN
         FOR own IN SELECT c.oid FROM pg_class c WHERE ${tablesOf(names)} LOOP
           EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', own);
         END LOOP;
         -- Now nobody can put others in their place.
         problem := tenantctl.untrusted(tenant_schema, tenant_role);
       END IF;
       IF problem IS NOT NULL THEN
         RAISE EXCEPTION '%', problem USING ERRCODE = '${UNTRUSTED}';
       END IF;
     END`,
    'Fails where the role of a tenant could run its code through tenantctl, and keeps the history tables in place.',
    BY_INDEX,
  );

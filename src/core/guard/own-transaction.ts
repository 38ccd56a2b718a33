import { writesOf } from './own-objects.ts';

/** The oid of pg_proc, in every version. */
const PROC = 1255;

/** The FROM of a query for the transaction's open ids, `l.transactionid`. */
export const OWN_IDS = `FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock'`;

/** SQL for the age of the transaction's first id; savepoints get theirs later. Needs a transaction with an id. */
const FIRST_AGE = `(SELECT age((txid_current() & 4294967295)::text::xid))`;

/**
 * SQL for the age of the transaction's last open id, computed once per query; null without one. Savepoints have
 * their own ids, each later than those before (https://www.postgresql.org/docs/current/subxacts.html).
 */
export const LAST_AGE = `(SELECT min(age(l.transactionid)) ${OWN_IDS})`;

/** SQL for the transaction id with this age, as 64 bits. */
export function idOf(age: string): string {
  return `(txid_current() + ${FIRST_AGE} - ${age})`;
}

/**
 * SQL for whether the lock `l` on an object is one of PostgreSQL's own. It locks a role without naming a database; Citus
 * names one when it brings the role to a node (EnsureRequiredObjectSetExistOnAllNodes in its dependencies.c).
 */
export const IS_LOCK_OF_SERVER = `NOT (l.classid = 'pg_authid'::regclass AND l.database <> 0)`;

/** SQL for this transaction's locks: on relations, and exclusive ones on other objects. */
export const OWN_LOCKS = `SELECT DISTINCT
    CASE l.locktype WHEN 'relation' THEN 'pg_class' ELSE l.classid::regclass::text END AS catalog,
    CASE l.locktype WHEN 'relation' THEN l.relation ELSE l.objid END AS oid, l.mode
  FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.granted
    AND (l.locktype = 'relation'
      OR l.locktype = 'object' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') AND ${IS_LOCK_OF_SERVER})`;

/**
 * Makes the server assign an id to the current subtransaction, after all earlier ones
 * (https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION).
 */
export const ASSIGN_ID = `SELECT pg_logical_emit_message(true, 'tenantctl', '')::text`;

/** The FROM of a query for the guard's routines that were replaced since this transaction has an id; or very long ago. */
const RECENT_ROUTINES = `pg_proc p
  WHERE p.proname IN ('effects', 'form_of', 'is_other_tenants', 'own_objects', 'rows_outside', 'search_catalog', 'stay_within')
    AND p.pronamespace = to_regnamespace('tenantctl') AND age(p.xmin) <= ${FIRST_AGE}`;

/**
 * SQL for the guard's routines that this transaction has replaced: what they say means nothing any more. Needs
 * OWN_PATH, and an id that was assigned after the replacement: ASSIGN_ID in a new subtransaction.
 */
export const REPLACED_ROUTINES = `SELECT 'pg_proc' AS catalog, p.oid::text AS oid, ${idOf('age(p.xmin)')}::text AS "writtenBy",
    false AS "isInSchema", false AS "isReferred", NULL AS extension
  FROM ${RECENT_ROUTINES} AND age(p.xmin) >= ${LAST_AGE}`;

/**
 * A statement that fails if this transaction has replaced one of the guard's routines. Needs OWN_PATH. It reads the
 * catalog only if the session has written it, as the server counts: to plan that query takes longer than the rest.
 */
export const ASSERT_ROUTINES = `DO $$ BEGIN
  IF (current_setting('track_counts') <> 'on' OR ${writesOf(PROC)} > 0) AND EXISTS (SELECT FROM ${RECENT_ROUTINES}) THEN
    BEGIN
      PERFORM pg_logical_emit_message(true, 'tenantctl', '');
      IF EXISTS (${REPLACED_ROUTINES}) THEN
        RAISE EXCEPTION 'routines of tenantctl were replaced' USING ERRCODE = 'TCT03';
      END IF;
    EXCEPTION WHEN SQLSTATE 'TCT99' THEN NULL;
    END;
  END IF;
END $$`;

/**
 * SQL for whether this transaction wrote a row, since an id; for routines with these variables.
 * @param age of the row's xmin, in SQL
 */
export function isOurs(age: string): string {
  return `${age} <= first_age AND ${age} >= last_age AND first_id + first_age - ${age} >= since
    AND txid_status(first_id + first_age - ${age}) = 'in progress'`;
}

/**
 * SQL for when the transaction began, in microseconds since 1970, whatever the DateStyle. Another transaction
 * in the same session began later; it costs no transaction id.
 */
export const BEGAN = '(extract(epoch FROM now()) * 1000000)::bigint::text';

/** No object of a migration, including temporary tables, can shadow PostgreSQL's own; names are plain. */
export const OWN_PATH = `SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
  pg_catalog.set_config('quote_all_identifiers', 'off', true)`;

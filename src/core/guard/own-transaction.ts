/** Where a transaction goes back to that has gone outside its schema. */
export const SAVEPOINT = 'tenantctl_guard';

/**
 * The ages of the transaction's first and last transaction id that is still open, worked out once for a query; null where
 * it has none. Savepoints have ids of their own, each later than those before
 * (https://www.postgresql.org/docs/current/subxacts.html).
 */
export const FIRST_AGE = `(SELECT max(age(l.transactionid)) FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')`;
export const LAST_AGE = FIRST_AGE.replace('max', 'min');

/** The transaction id with an age, counted on beyond 2³². */
export function idOf(age: string): string {
  return `(txid_current() + ${FIRST_AGE} - ${age})`;
}

/** What this transaction has locked: relations, and other objects exclusively. A lock stays until its end. */
export const OWN_LOCKS = `SELECT DISTINCT
    CASE l.locktype WHEN 'relation' THEN 'pg_class' ELSE l.classid::regclass::text END AS catalog,
    CASE l.locktype WHEN 'relation' THEN l.relation ELSE l.objid END AS oid, l.mode
  FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.granted
    AND (l.locktype = 'relation'
      OR l.locktype = 'object' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))`;

/**
 * The statements that give what comes after a transaction id of its own: the message, to nobody, makes the server assign
 * it (https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION).
 */
export const NEW_ID: readonly string[] = [
  `SAVEPOINT ${SAVEPOINT}`,
  `SELECT pg_logical_emit_message(true, 'tenantctl', '')::text`,
];

/** Nothing that a migration has made is taken for PostgreSQL's own, a temporary table included. */
export const OWN_PATH = 'SET LOCAL search_path TO pg_catalog, pg_temp';

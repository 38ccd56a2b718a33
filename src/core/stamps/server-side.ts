import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { routine } from '../state/routine.ts';
import { lockTableOf } from '../target/history.ts';

/**
 * The oid of the history table of a schema, in SQL; NULL where there is none.
 * @param schema in SQL
 */
export function historyOf({ tenantHistory }: Names, schema = 'tenant_schema'): string {
  return `to_regclass(format('%I.%I', ${schema}, ${literal(tenantHistory)}))`;
}

/** The trigger on a tenant's two history tables; its function in the tenant's schema has a name that begins so. */
export const GUARD = 'tenantctl_unstamp';

/**
 * What the server needs for stamps (docs/decisions/0010-stamps.md). A stamp says what a tenant's history holds, so that
 * a fleet's histories are known from one query. It can be trusted because every way of changing a history takes it away
 * or makes it not fit:
 *
 * - A row trigger on both of Knex's tables deletes the stamp on every write but tenantctl's own, whichever table the
 *   write named (a parent it inherits from, say); ENABLE ALWAYS makes it fire under session_replication_role = replica
 *   and for logical replication too
 *   (https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER).
 * - Where the writer's snapshot is older than its statement, it may not see a stamp that has come since, and would not
 *   delete it. So it first tries to put one there itself: on a row that it cannot see the server refuses that (40001,
 *   https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ).
 * - The trigger's function lives in the tenant's schema and does nothing where tenantctl's schema is absent, so that a
 *   dump of the schema restores anywhere.
 * - A stamp belongs to a history table and not to a name: it stays with it where its schema, or the organization, is
 *   renamed, and where two tenants swap schemas.
 * - A stamp names the tables by oid, by the file that they are kept in (TRUNCATE and what rewrites a table change it) and
 *   by the number of their columns; the triggers and their function by the transaction that wrote their catalog rows
 *   (xmin); and itself by the transaction that wrote it. A table restored from a dump is another table; a trigger that
 *   was disabled and enabled again, or a function that was replaced, has another row; a stamp that somebody has edited
 *   or put back was written by another transaction.
 */
export const STAMP_TABLES: readonly string[] = [
  `CREATE TABLE tenantctl.histories (
     digest uuid PRIMARY KEY,
     entries jsonb NOT NULL,
     recorded_at timestamptz NOT NULL DEFAULT now())`,
  `COMMENT ON TABLE tenantctl.histories IS
     'What a history holds: [name, batch] in the order in which they were applied. Stamps refer to it by the digest.'`,
  // Room in each page for a row's next version: a run changes nothing but the digest.
  `CREATE TABLE tenantctl.stamps (
     schema_name text PRIMARY KEY,
     digest uuid NOT NULL,
     history_oid oid NOT NULL,
     lock_oid oid NOT NULL,
     history_guard xid NOT NULL,
     lock_guard xid NOT NULL,
     function_guard xid NOT NULL,
     history_file oid NOT NULL,
     lock_file oid NOT NULL,
     history_columns smallint NOT NULL,
     lock_columns smallint NOT NULL,
     written_by xid NOT NULL) WITH (fillfactor = 60)`,
  `COMMENT ON TABLE tenantctl.stamps IS
     'What each tenant''s history holds. To be believed only as far as the view trusted_stamps does.'`,
  'CREATE INDEX stamps_history_oid ON tenantctl.stamps (history_oid)',
  'CREATE INDEX stamps_lock_oid ON tenantctl.stamps (lock_oid)',
];

/** The upgrade from stamps that belong to the name of a schema: none is written, so that each is trusted as before. */
export const STAMPS_BY_TABLE: readonly string[] = [
  'ALTER TABLE tenantctl.stamps DROP CONSTRAINT stamps_pkey',
  'DROP INDEX tenantctl.stamps_history_oid, tenantctl.stamps_lock_oid',
  `DELETE FROM tenantctl.stamps s WHERE EXISTS (
     SELECT FROM tenantctl.stamps o
     WHERE o.ctid <> s.ctid AND (o.history_oid = s.history_oid OR o.lock_oid = s.lock_oid))`,
  'ALTER TABLE tenantctl.stamps ADD PRIMARY KEY (history_oid)',
  'CREATE UNIQUE INDEX stamps_lock_oid ON tenantctl.stamps (lock_oid)',
  `COMMENT ON COLUMN tenantctl.stamps.schema_name IS 'The name of the schema when the stamp was made.'`,
];

/** The view and the routines, for which see above. They hold nothing: each upgrade drops them and makes them anew. */
export function stampRoutines(names: Names): string[] {
  const { tenantHistory } = names;
  const tables = {
    history: literal(tenantHistory),
    lock: literal(lockTableOf(tenantHistory)),
    historyOid: historyOf(names),
  };
  return [...historyRoutines(tables), ...guardRoutines(tables), ...stampRoutine(tables)];
}

/** The names of a tenant's two history tables, as literals. */
interface HistorySql {
  readonly history: string;
  readonly lock: string;
  /** The oid of the history table of `tenant_schema`, in SQL. */
  readonly historyOid: string;
}

/** What a stamp is worth, and what a history holds. */
function historyRoutines({ history, lock }: HistorySql): string[] {
  return [
    `CREATE VIEW tenantctl.trusted_stamps AS
     SELECT n.nspname::text AS schema_name, s.digest, n.oid AS schema_oid, s.history_oid
     FROM tenantctl.stamps s
     JOIN pg_catalog.pg_class h ON s.xmin = s.written_by AND h.oid = s.history_oid
       AND h.relfilenode = s.history_file AND h.relnatts = s.history_columns AND h.relname = ${history}
       AND h.relkind = 'r' AND h.relpersistence = 'p' AND NOT h.relhassubclass
     JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace
     JOIN pg_catalog.pg_class l ON l.oid = s.lock_oid
       AND l.relfilenode = s.lock_file AND l.relnatts = s.lock_columns AND l.relname = ${lock} AND l.relnamespace = n.oid
       AND l.relkind = 'r' AND l.relpersistence = 'p' AND NOT l.relhassubclass
     JOIN pg_catalog.pg_trigger ht ON ht.tgrelid = h.oid AND ht.tgname = '${GUARD}'
       AND ht.tgenabled = 'A' AND ht.xmin = s.history_guard
     JOIN pg_catalog.pg_trigger lt ON lt.tgrelid = l.oid AND lt.tgname = '${GUARD}'
       AND lt.tgenabled = 'A' AND lt.xmin = s.lock_guard
     JOIN pg_catalog.pg_proc p ON p.oid = ht.tgfoid AND p.oid = lt.tgfoid AND p.xmin = s.function_guard`,
    `COMMENT ON VIEW tenantctl.trusted_stamps IS
     'The stamps whose tables, triggers and function are still the ones that they were made with.'`,
    routine(
      'lock_history(tenant_schema text) RETURNS void',
      `BEGIN
       EXECUTE format('LOCK TABLE %1$I.%2$I, %1$I.%3$I IN SHARE ROW EXCLUSIVE MODE NOWAIT', tenant_schema, ${lock}, ${history});
     END`,
      'Keeps writers away from both tables until the transaction ends. 55P03 where one is at work.',
    ),
    routine(
      'read_history(tenant_schema text, OUT digest uuid, OUT entries jsonb, OUT locked_by_knex boolean)',
      `BEGIN
       EXECUTE format($q$
         SELECT left(encode(sha256(convert_to(
                  coalesce(string_agg(coalesce(batch, 0) || chr(31) || octet_length(convert_to(name, 'UTF8')) || chr(31) || name, chr(30) ORDER BY coalesce(batch, 0), id), ''), 'UTF8')), 'hex'), 32)::uuid,
                coalesce(jsonb_agg(jsonb_build_array(name, coalesce(batch, 0)) ORDER BY coalesce(batch, 0), id) FILTER (WHERE name IS NOT NULL), '[]'),
                EXISTS (SELECT FROM %1$I.%2$I WHERE is_locked <> 0)
         FROM %1$I.%3$I$q$, tenant_schema, ${lock}, ${history}) INTO digest, entries, locked_by_knex;
     END`,
      'What the history table itself holds, with the digest that stamps go by.',
    ),
    routine(
      'guard_name(tenant_schema text) RETURNS text',
      `BEGIN
       RETURN '${GUARD}_' || left(encode(sha256(convert_to(tenant_schema, 'UTF8')), 'hex'), 10);
     END`,
      'The name of the function of the trigger in a tenant schema. Another one in each: to find one of a name, PostgreSQL looks at all functions of that name.',
    ),
  ];
}

/** The trigger on both tables. */
function guardRoutines({ history, lock, historyOid }: HistorySql): string[] {
  return [
    routine(
      'guard(tenant_schema text) RETURNS void',
      `DECLARE
       body text := $body$
BEGIN
  IF to_regclass('tenantctl.stamps') IS NOT NULL THEN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      INSERT INTO tenantctl.stamps
      VALUES (TG_TABLE_SCHEMA, '00000000-0000-0000-0000-000000000000', TG_RELID, TG_RELID, '0', '0', '0', 0, 0, 0, 0, '0')
      ON CONFLICT DO NOTHING;
    END IF;
    DELETE FROM tenantctl.stamps WHERE TG_RELID IN (history_oid, lock_oid);
  END IF;
  RETURN NULL;
END
$body$;
       guard_function text := format('%I.%I', tenant_schema, coalesce((
         SELECT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid = ${historyOid} AND t.tgname = '${GUARD}' AND starts_with(p.proname, '${GUARD}_')
           AND p.pronamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = tenant_schema)),
         tenantctl.guard_name(tenant_schema)));
       history_table text;
       table_oid oid;
       trigger_text text;
     BEGIN
       IF NOT EXISTS (
         SELECT FROM pg_proc p
         WHERE p.oid = to_regproc(guard_function) AND p.prosrc = body AND p.prosecdef
           AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
           AND has_schema_privilege(p.proowner, 'tenantctl', 'USAGE')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'SELECT')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'DELETE')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'INSERT')
       ) THEN
         EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', guard_function, body);
         EXECUTE format('ALTER FUNCTION %s() OWNER TO CURRENT_USER', guard_function);
         EXECUTE format('COMMENT ON FUNCTION %s() IS %L', guard_function, 'Tells tenantctl that somebody else changed the history of migrations. Does nothing where there is no tenantctl.');
       END IF;
       FOREACH history_table IN ARRAY ARRAY[${history}, ${lock}] LOOP
         table_oid := to_regclass(format('%I.%I', tenant_schema, history_table));
         SELECT pg_get_triggerdef(t.oid) INTO trigger_text FROM pg_trigger t
         WHERE t.tgrelid = table_oid AND t.tgname = '${GUARD}' AND t.tgenabled = 'A'
           AND t.tgfoid = to_regproc(guard_function);
         CONTINUE WHEN FOUND AND trigger_text = format('CREATE TRIGGER ${GUARD} AFTER INSERT OR DELETE OR UPDATE ON %1$I.%2$I FOR EACH ROW WHEN (((pg_trigger_depth() > 0) OR (current_setting(''tenantctl.writer''::text, true) IS DISTINCT FROM (txid_current())::text))) EXECUTE FUNCTION %3$s()', tenant_schema, history_table, guard_function);
         IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = table_oid AND tgname = '${GUARD}') THEN
           EXECUTE format('DROP TRIGGER ${GUARD} ON %I.%I', tenant_schema, history_table);
         END IF;
         EXECUTE format('CREATE TRIGGER ${GUARD} AFTER INSERT OR UPDATE OR DELETE ON %1$I.%2$I FOR EACH ROW WHEN (pg_trigger_depth() > 0 OR current_setting(''tenantctl.writer'', true) IS DISTINCT FROM txid_current()::text) EXECUTE FUNCTION %3$s()', tenant_schema, history_table, guard_function);
         EXECUTE format('ALTER TABLE %I.%I ENABLE ALWAYS TRIGGER ${GUARD}', tenant_schema, history_table);
       END LOOP;
     END`,
      'Puts the trigger on both tables, or puts it right. Whoever calls it has locked them.',
    ),
  ];
}

/** Stamps a tenant: calls the routines above. */
function stampRoutine({ lock, historyOid }: HistorySql): string[] {
  return [
    routine(
      'stamp(tenant_schema text) RETURNS text',
      `DECLARE
       seen record;
       history_table oid;
       lock_table oid;
     BEGIN
       BEGIN
         history_table := ${historyOid};
         PERFORM tenantctl.lock_history(tenant_schema);
         PERFORM tenantctl.guard(tenant_schema);
         seen := tenantctl.read_history(tenant_schema);
         IF seen.locked_by_knex THEN
           DELETE FROM tenantctl.stamps WHERE history_oid = history_table;
           RETURN 'Knex''s own lock is set';
         END IF;
         IF NOT EXISTS (SELECT FROM tenantctl.histories WHERE digest = seen.digest AND entries = seen.entries) THEN
           INSERT INTO tenantctl.histories AS known (digest, entries) VALUES (seen.digest, seen.entries)
           ON CONFLICT (digest) DO UPDATE SET entries = excluded.entries WHERE known.entries <> excluded.entries;
         END IF;
         lock_table := to_regclass(format('%I.%I', tenant_schema, ${lock}));
         DELETE FROM tenantctl.stamps WHERE lock_oid = lock_table AND history_oid <> history_table;
         INSERT INTO tenantctl.stamps AS s
         SELECT tenant_schema, seen.digest, history_table, lock_table, ht.xmin, lt.xmin, p.xmin, h.relfilenode, l.relfilenode, h.relnatts, l.relnatts, '0'
         FROM pg_trigger ht, pg_trigger lt, pg_proc p, pg_class h, pg_class l
         WHERE h.oid = history_table AND l.oid = lock_table AND ht.tgrelid = history_table AND ht.tgname = '${GUARD}' AND lt.tgrelid = lock_table AND lt.tgname = '${GUARD}'
           AND p.oid = ht.tgfoid
         ON CONFLICT (history_oid) DO UPDATE
           SET schema_name = excluded.schema_name, digest = excluded.digest, lock_oid = excluded.lock_oid,
               history_guard = excluded.history_guard, lock_guard = excluded.lock_guard, function_guard = excluded.function_guard,
               history_file = excluded.history_file, lock_file = excluded.lock_file, history_columns = excluded.history_columns, lock_columns = excluded.lock_columns;
         UPDATE tenantctl.stamps SET written_by = xmin WHERE history_oid = history_table;
         RETURN NULL;
       EXCEPTION WHEN OTHERS THEN
         PERFORM FROM tenantctl.stamps WHERE history_oid = history_table FOR UPDATE SKIP LOCKED;
         IF FOUND THEN DELETE FROM tenantctl.stamps WHERE history_oid = history_table; END IF;
         RETURN SQLSTATE || ': ' || SQLERRM;
       END;
     END`,
      'Stamps a tenant with what its history table holds. NULL, or why it has no stamp: nothing fails for want of one.',
    ),
  ];
}

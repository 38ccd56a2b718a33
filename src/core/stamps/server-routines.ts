import { SPREADS_SCHEMAS } from '../../db/citus.ts';
import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { routine, type Routine } from '../state/routine.ts';
import { lockTableOf } from '../target/history.ts';
import {
  commentOnFunction,
  HISTORY_TRIGGER,
  NAME_DIGEST,
  TRIGGER_BODY,
  triggerFunction,
  triggerOn,
} from './history-trigger.ts';
import { trustRoutines } from './trust-routines.ts';

/** SQL for the oid of a schema's history table; NULL if there is none. @param schema in SQL */
export function historyOf({ tenantHistory }: Names, schema = 'tenant_schema'): string {
  return `to_regclass(format('%I.%I', ${schema}, ${literal(tenantHistory)}))`;
}

/** SQL for the oid of Knex's lock table in `tenant_schema`. */
function lockTableIn({ tenantHistory }: Names): string {
  return `to_regclass(format('%I.%I', tenant_schema, ${literal(lockTableOf(tenantHistory))}))`;
}

export function stampRoutines(names: Names): Routine[] {
  return [
    ...trustRoutines(names),
    lockHistory(names),
    readHistory(names),
    TRIGGER_NAME,
    putHistoryTrigger(names),
    stamp(names),
    stampNew(names),
  ];
}

/** The view that the routines of several rooms read. */
export function trustedStamps({ tenantHistory }: Names): string[] {
  const table = (alias: string, prefix: string, name: string) =>
    `${alias}.oid = s.${prefix}_oid AND ${alias}.relfilenode = s.${prefix}_file AND ${alias}.relnatts = s.${prefix}_columns
       AND ${alias}.relname = ${literal(name)} AND ${alias}.relkind = 'r' AND ${alias}.relpersistence = 'p' AND NOT ${alias}.relhassubclass`;
  const trigger = (alias: string, prefix: string) =>
    `${alias}.tgrelid = s.${prefix}_oid AND ${alias}.tgname = '${HISTORY_TRIGGER}' AND ${alias}.tgenabled = 'A' AND ${alias}.xmin = s.${prefix}_trigger`;
  return [
    `CREATE VIEW tenantctl.trusted_stamps AS
     SELECT n.nspname::text AS schema_name, s.digest, n.oid AS schema_oid, s.history_oid
     FROM tenantctl.stamps s
     JOIN pg_catalog.pg_class h ON s.xmin = s.written_by AND ${table('h', 'history', tenantHistory)}
     JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace
     JOIN pg_catalog.pg_class l ON l.relnamespace = n.oid AND ${table('l', 'lock', lockTableOf(tenantHistory))}
     JOIN pg_catalog.pg_trigger ht ON ${trigger('ht', 'history')}
     JOIN pg_catalog.pg_trigger lt ON ${trigger('lt', 'lock')}
     JOIN pg_catalog.pg_proc p ON p.oid = ht.tgfoid AND p.oid = lt.tgfoid AND p.xmin = s.trigger_function`,
    `COMMENT ON VIEW tenantctl.trusted_stamps IS
     'The stamps whose tables, triggers and function are still the ones that they were made with.'`,
  ];
}

const lockHistory = (names: Names) => {
  const { tenantHistory } = names;
  return routine(
    'lock_history(tenant_schema text) RETURNS void',
    `BEGIN
       EXECUTE format('LOCK TABLE %1$I.%2$I, %1$I.%3$I IN SHARE ROW EXCLUSIVE MODE NOWAIT',
         tenant_schema, ${literal(lockTableOf(tenantHistory))}, ${literal(tenantHistory)});
       -- A view would run its functions.
       IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (${historyOf(names)}, ${lockTableIn(names)}) AND c.relkind NOT IN ('r', 'p')) THEN
         RAISE EXCEPTION 'the history of % is no table', tenant_schema USING ERRCODE = '42809';
       END IF;
     END`,
    'Keeps writers away from both tables until the transaction ends. 55P03 where one is at work.',
  );
};

const readHistory = ({ tenantHistory }: Names) =>
  routine(
    'read_history(tenant_schema text, OUT digest uuid, OUT entries jsonb, OUT locked_by_knex boolean)',
    `BEGIN
       EXECUTE format($q$
         SELECT left(encode(sha256(convert_to(coalesce(string_agg(
                  batch || chr(31) || octet_length(convert_to(name, 'UTF8')) || chr(31) || name, chr(30) ORDER BY batch, id), ''), 'UTF8')), 'hex'), 32)::uuid,
                coalesce(jsonb_agg(jsonb_build_array(name, batch) ORDER BY batch, id) FILTER (WHERE name IS NOT NULL), '[]'),
                EXISTS (SELECT FROM %1$I.%2$I WHERE is_locked <> 0)
         FROM (SELECT id, name, coalesce(batch, 0) AS batch FROM %1$I.%3$I) history$q$,
         tenant_schema, ${literal(lockTableOf(tenantHistory))}, ${literal(tenantHistory)}) INTO digest, entries, locked_by_knex;
     END`,
    'What the history table itself holds, with the digest that stamps go by.',
    // No policy of whoever owns the table runs.
    ['row_security = off'],
  );

const TRIGGER_NAME = routine(
  'history_trigger_name(tenant_schema text) RETURNS text',
  `BEGIN
       RETURN '${HISTORY_TRIGGER}_' || left(encode(sha256(convert_to(tenant_schema, 'UTF8')), 'hex'), ${NAME_DIGEST});
     END`,
  'The name of the trigger function in a tenant schema. It differs in each: to find a function, PostgreSQL looks at all of its name.',
);

const putHistoryTrigger = (names: Names) =>
  routine(
    'put_history_trigger(tenant_schema text) RETURNS void',
    `DECLARE
       body text := $body$${TRIGGER_BODY}$body$;
       tables oid[] := ARRAY[${historyOf(names)}, ${lockTableIn(names)}];
       has_triggers boolean := EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = ANY (tables) AND t.tgname = '${HISTORY_TRIGGER}');
       trigger_function text;
       is_right boolean := false;
       on_table regclass;
       found_text text;
     BEGIN
       -- New tables need none of the questions about what is there: to plan them takes longer than all the rest.
       IF has_triggers THEN
         SELECT p.proname INTO trigger_function FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid = tables[1] AND t.tgname = '${HISTORY_TRIGGER}' AND starts_with(p.proname, '${HISTORY_TRIGGER}_')
           AND p.pronamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = tenant_schema);
       END IF;
       trigger_function := format('%I.%I', tenant_schema, coalesce(trigger_function, tenantctl.history_trigger_name(tenant_schema)));
       IF has_triggers THEN
         SELECT true INTO is_right FROM pg_proc p
         WHERE p.oid = to_regproc(trigger_function) AND p.prosrc = body AND p.prosecdef
           AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
           AND has_schema_privilege(p.proowner, 'tenantctl', 'USAGE')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'SELECT')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'DELETE')
           AND has_table_privilege(p.proowner, 'tenantctl.stamps', 'INSERT');
       END IF;
       IF is_right IS NOT true THEN
         EXECUTE format(${literal(`CREATE OR REPLACE ${triggerFunction('%s', '%L')}`)}, trigger_function, body);
         EXECUTE format('ALTER FUNCTION %s() OWNER TO CURRENT_USER', trigger_function);
         EXECUTE format(${literal(commentOnFunction('%s'))}, trigger_function);
       END IF;
       FOREACH on_table IN ARRAY tables LOOP
         IF has_triggers THEN
           SELECT pg_get_triggerdef(t.oid) INTO found_text FROM pg_trigger t
           WHERE t.tgrelid = on_table AND t.tgname = '${HISTORY_TRIGGER}' AND t.tgenabled = 'A' AND t.tgfoid = to_regproc(trigger_function);
           CONTINUE WHEN FOUND AND found_text = format('CREATE TRIGGER ${HISTORY_TRIGGER} AFTER INSERT OR DELETE OR UPDATE ON %1$s FOR EACH ROW WHEN (((pg_trigger_depth() > 0) OR (current_setting(''tenantctl.writer''::text, true) IS DISTINCT FROM (txid_current())::text))) EXECUTE FUNCTION %2$s()', on_table, trigger_function);
           EXECUTE format('DROP TRIGGER IF EXISTS ${HISTORY_TRIGGER} ON %s', on_table);
         END IF;
${triggerOn('%1$s', '%2$s')
  .map(
    (statement) => `         EXECUTE format(${literal(statement)}, on_table, trigger_function);
`,
  )
  .join('')}       END LOOP;
     END`,
    'Puts the trigger on both tables, or puts it right. Whoever calls it has locked them.',
    // DROP TRIGGER IF EXISTS would send a notice.
    ['client_min_messages = warning'],
  );

/** The columns of a stamp after the first, with their values in `stamp`. */
const STAMP_COLUMNS = {
  schema_name: 'tenant_schema',
  digest: 'seen.digest',
  lock_oid: 'l.oid',
  history_trigger: 'ht.xmin',
  lock_trigger: 'lt.xmin',
  trigger_function: 'p.xmin',
  history_file: 'h.relfilenode',
  lock_file: 'l.relfilenode',
  history_columns: 'h.relnatts',
  lock_columns: 'l.relnatts',
} as const;

const stamp = (names: Names) => {
  const columns = Object.keys(STAMP_COLUMNS);
  return routine(
    'stamp(tenant_schema text) RETURNS text',
    `DECLARE
       seen record;
       history_table oid;
       lock_table oid;
     BEGIN
       IF ${SPREADS_SCHEMAS} THEN
         RETURN 'tables on the nodes of a cluster have no triggers';
       END IF;
       BEGIN
         history_table := ${historyOf(names)};
         PERFORM tenantctl.lock_history(tenant_schema);
         PERFORM tenantctl.put_history_trigger(tenant_schema);
         seen := tenantctl.read_history(tenant_schema);
         IF seen.locked_by_knex THEN
           DELETE FROM tenantctl.stamps WHERE history_oid = history_table;
           RETURN 'Knex''s own lock is set';
         END IF;
         IF NOT EXISTS (SELECT FROM tenantctl.histories WHERE digest = seen.digest AND entries = seen.entries) THEN
           INSERT INTO tenantctl.histories AS known (digest, entries) VALUES (seen.digest, seen.entries)
           ON CONFLICT (digest) DO UPDATE SET entries = excluded.entries WHERE known.entries <> excluded.entries;
         END IF;
         lock_table := ${lockTableIn(names)};
         DELETE FROM tenantctl.stamps WHERE lock_oid = lock_table AND history_oid <> history_table;
         INSERT INTO tenantctl.stamps (history_oid, ${columns.join(', ')}, written_by)
         SELECT h.oid, ${Object.values(STAMP_COLUMNS).join(', ')}, '0'
         FROM pg_class h, pg_class l, pg_trigger ht, pg_trigger lt, pg_proc p
         WHERE h.oid = history_table AND l.oid = lock_table AND ht.tgrelid = h.oid AND ht.tgname = '${HISTORY_TRIGGER}'
           AND lt.tgrelid = l.oid AND lt.tgname = '${HISTORY_TRIGGER}' AND p.oid = ht.tgfoid
         ON CONFLICT (history_oid) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')};
         UPDATE tenantctl.stamps SET written_by = xmin WHERE history_oid = history_table;
         RETURN NULL;
       EXCEPTION WHEN OTHERS THEN
         DELETE FROM tenantctl.stamps WHERE history_oid = (
           SELECT s.history_oid FROM tenantctl.stamps s WHERE s.history_oid = history_table FOR UPDATE SKIP LOCKED);
         RETURN SQLSTATE || ': ' || SQLERRM;
       END;
     END`,
    'Stamps a tenant with what its history table holds. NULL, or why it has no stamp: nothing fails for want of one.',
  );
};

/** The xmin of what this transaction writes, unless in a subtransaction. */
const OWN_XMIN = `(txid_current() & 4294967295)::text::xid`;

/** Where most of a stamp's values are known without looking: the transaction has made what it describes. */
const stampNew = (names: Names) => {
  const columns = Object.keys(STAMP_COLUMNS);
  return routine(
    'stamp_new(tenant_schema text, becomes uuid, reads boolean)',
    `DECLARE
       seen record;
     BEGIN
       IF reads THEN
         seen := tenantctl.read_history(tenant_schema);
         IF seen.digest <> becomes OR seen.locked_by_knex THEN
           PERFORM tenantctl.stamp(tenant_schema);
           RETURN;
         END IF;
       END IF;
       INSERT INTO tenantctl.stamps (history_oid, ${columns.join(', ')}, written_by)
       SELECT made.history, tenant_schema, becomes, made.lock, made.own, made.own, made.own,
              pg_relation_filenode(made.history), pg_relation_filenode(made.lock), 4, 2, made.own
       FROM (SELECT ${historyOf(names)} AS history, ${lockTableIn(names)} AS lock, ${OWN_XMIN} AS own OFFSET 0) made;
     END`,
    'Stamps a tenant whose history tables, and then their trigger, are of this transaction. Reads the history if something else may have written it.',
  );
};
